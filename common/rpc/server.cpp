#include "common/rpc/server.h"

#include <google/protobuf/stubs/logging.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include "common/rpc/errors.h"
#include "grpc/health/v1/health.pb.h"

namespace tocsin::rpc {
namespace {

constexpr int kPingsAcceptedMs = 10'000;     // the default refuses pings under 5 min with a GOAWAY
constexpr int kConnectionAgeMs = 300'000;    // so that new replicas get their share
constexpr int kConnectionGraceMs = 300'000;  // streams end themselves in order before it is over
constexpr char kLiveness[] = "liveness";     // names for probes
constexpr char kReadiness[] = "readiness";
constexpr char kWhole[] = "";  // by its name: the call without one would take liveness along
constexpr int kMaxMetadataBytes = 16 * 1024;

// gRPC answers what it cannot parse as if the method were missing: UNIMPLEMENTED without a word.
// Its callers are told what is wrong instead. Handlers of ours always say why they refuse.
class UnreadableRequests final : public grpc::experimental::Interceptor {
 public:
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using Point = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Point::PRE_SEND_STATUS)) {
      const grpc::Status status = methods->GetSendStatus();
      if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_message().empty())
        methods->ModifySendStatus(ToGrpcStatus(UnreadableError()));
    }
    methods->Proceed();
  }
};

// A method that nobody serves comes as a bidirectional stream and stays UNIMPLEMENTED; streams from
// callers read their frames themselves.
class UnreadableRequestsFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    using Type = grpc::experimental::ServerRpcInfo::Type;
    const bool one_request = info->type() == Type::UNARY || info->type() == Type::SERVER_STREAMING;
    return one_request ? new UnreadableRequests : nullptr;  // gRPC's from here on
  }
};

std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> Interceptors() {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> made;
  made.push_back(std::make_unique<UnreadableRequestsFactory>());
  return made;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(const ServerSettings& settings,
                                              const std::vector<grpc::Service*>& services) {
  static const bool extras = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    google::protobuf::SetLogHandler(nullptr);  // callers are told of bytes that are no message
    // Linked in, so that reflection can describe the health service too.
    return grpc::health::v1::HealthCheckRequest::descriptor() != nullptr;
  }();
  static_cast<void>(extras);
  std::unique_ptr<Server> server(new Server());
  grpc::ServerBuilder builder;
  builder.AddListeningPort(settings.address, grpc::InsecureServerCredentials(), &server->port_);
  builder.SetMaxReceiveMessageSize(settings.max_message_bytes);
  builder.SetMaxSendMessageSize(settings.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, settings.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingsAcceptedMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kConnectionAgeMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kConnectionGraceMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a taken port is an error, not a share
  builder.SetResourceQuota(grpc::ResourceQuota("tocsin").Resize(settings.memory_bytes));
  builder.experimental().SetInterceptorCreators(Interceptors());
  for (grpc::Service* service : services) builder.RegisterService(service);
  server->server_ = builder.BuildAndStart();
  if (!server->server_ || server->port_ == 0)
    return Fail(ErrorCode::kInvalidConfig,
                "cannot listen on " + settings.address + " for gRPC; is the port taken?");
  server->names_ = settings.names;
  server->names_.emplace_back(kWhole);
  server->names_.emplace_back(kReadiness);
  if (auto* const health = server->server_->GetHealthCheckService())
    health->SetServingStatus(kLiveness, true);
  server->SetServing(true);
  return server;
}

Server::~Server() { Drain(std::chrono::system_clock::now()); }

void Server::SetServing(bool serving) {
  auto* const health = server_->GetHealthCheckService();
  if (health == nullptr) return;
  for (const std::string& name : names_) health->SetServingStatus(name, serving);
}

void Server::SetReady(bool ready) {
  if (auto* const health = server_->GetHealthCheckService())
    health->SetServingStatus(kReadiness, ready);
}

void Server::Drain(std::chrono::system_clock::time_point deadline) {
  if (server_) server_->Shutdown(deadline);
}

}  // namespace tocsin::rpc
