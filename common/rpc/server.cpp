#include "common/rpc/server.h"

#include <absl/synchronization/mutex.h>
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include "common/rpc/errors.h"
#include "grpc/health/v1/health.pb.h"

namespace tocsin::rpc {
namespace {

constexpr int kMinPingIntervalMs = 10'000;   // the default refuses pings under 5 min with a GOAWAY
constexpr int kConnectionAgeMs = 300'000;    // so that new replicas get their share
constexpr int kConnectionGraceMs = 300'000;  // streams end by themselves before it is over
constexpr char kLiveness[] = "liveness";     // names for probes
constexpr char kReadiness[] = "readiness";
constexpr char kServer[] = "";  // SetServingStatus(bool) would change liveness too
constexpr int kMaxMetadataBytes = 16 * 1024;

// gRPC ends a request that it cannot parse with UNIMPLEMENTED and no message. Clients get
// UnparsableRequestError() instead. Tocsin's handlers never send UNIMPLEMENTED without a message.
class UnparsableRequests final : public grpc::experimental::Interceptor {
 public:
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using Point = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Point::PRE_SEND_STATUS)) {
      const grpc::Status status = methods->GetSendStatus();
      if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_message().empty())
        methods->ModifySendStatus(ToGrpcStatus(UnparsableRequestError()));
    }
    methods->Proceed();
  }
};

// An unknown method comes as a bidirectional stream and stays UNIMPLEMENTED. Handlers of client
// streams parse each message themselves.
class UnparsableRequestsFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    using Type = grpc::experimental::ServerRpcInfo::Type;
    const bool one_request = info->type() == Type::UNARY || info->type() == Type::SERVER_STREAMING;
    return one_request ? new UnparsableRequests : nullptr;  // gRPC deletes it
  }
};

std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> Interceptors() {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> made;
  made.push_back(std::make_unique<UnparsableRequestsFactory>());
  return made;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(const ServerSettings& settings,
                                              const std::vector<grpc::Service*>& services) {
  static const bool initialized = [] {
    // Debian builds Abseil with it on. gRPC locks many mutexes per request, and each lock would
    // search a graph.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    google::protobuf::SetLogHandler(nullptr);  // clients get an error; stderr stays clean
    // Linked so that reflection can describe the health service too.
    return grpc::health::v1::HealthCheckRequest::descriptor() != nullptr;
  }();
  static_cast<void>(initialized);
  std::unique_ptr<Server> server(new Server());
  grpc::ServerBuilder builder;
  builder.AddListeningPort(settings.address, grpc::InsecureServerCredentials(), &server->port_);
  builder.SetMaxReceiveMessageSize(settings.max_message_bytes);
  builder.SetMaxSendMessageSize(settings.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, settings.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kConnectionAgeMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kConnectionGraceMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             static_cast<int>(settings.max_idle.count()));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port in use is an error, not shared
  builder.SetResourceQuota(grpc::ResourceQuota("tocsin").Resize(settings.memory_bytes));
  builder.experimental().SetInterceptorCreators(Interceptors());
  for (grpc::Service* service : services) builder.RegisterService(service);
  server->server_ = builder.BuildAndStart();
  if (!server->server_ || server->port_ == 0)
    return Fail(ErrorCode::kInvalidConfig,
                "cannot listen for gRPC on " + settings.address + "; is the port in use?");
  server->names_ = settings.names;
  server->names_.emplace_back(kServer);
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
