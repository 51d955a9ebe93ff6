#include "services/ingress/alert_service.h"

#include <atomic>
#include <memory>
#include <utility>

#include "common/rpc/auth.h"
#include "common/rpc/errors.h"
#include "common/telemetry/trace.h"
#include "services/ingress/enqueue_stream.h"

namespace tocsin::ingress {
namespace {

std::string TraceOf(const grpc::CallbackServerContext& context) {
  return telemetry::TraceContext::Continue(rpc::Traceparent(context).value_or("")).Text();
}

// A stream that is refused before its first frame.
class RefusedStream final
    : public grpc::ServerBidiReactor<v1::EnqueueStreamRequest, v1::EnqueueStreamResponse> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

AlertService::AlertService(const RegistrySource& registry, Acceptance& acceptance, Marking& marking,
                           AlertServiceObserver observer)
    : registry_(registry),
      acceptance_(acceptance),
      marking_(marking),
      observer_(std::move(observer)) {}

// Finishes a unary call with what it came to.
template <typename Response>
std::function<void(Result<Response>)> AlertService::Answering(const char* method,
                                                              grpc::ServerUnaryReactor* reactor,
                                                              Response* response) const {
  return [this, method, reactor, response](Result<Response> result) {
    observer_.answered(method, result ? "OK" : TraitsOf(result.error().code).name);
    if (result) *response = *std::move(result);
    reactor->Finish(result ? grpc::Status::OK : rpc::ToGrpcStatus(result.error()));
  };
}

Result<std::string> AlertService::ClientOf(const grpc::CallbackServerContext& context) const {
  TOCSIN_TRY(const Secret key, rpc::BearerKey(context));
  return registry_.Now()->Authenticate(key.Reveal(), Scope::kSend);
}

grpc::ServerUnaryReactor* AlertService::Enqueue(grpc::CallbackServerContext* context,
                                                const v1::EnqueueRequest* request,
                                                v1::EnqueueResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto answer = Answering("Enqueue", reactor, response);
  if (const auto client = ClientOf(*context)) {
    acceptance_.Enqueue(*client, *request, TraceOf(*context), std::move(answer));
  } else {
    answer(Fail(client.error()));
  }
  return reactor;
}

grpc::ServerUnaryReactor* AlertService::EnqueueBatch(grpc::CallbackServerContext* context,
                                                     const v1::EnqueueBatchRequest* request,
                                                     v1::EnqueueBatchResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto refuse = [&](const Error& error) {
    observer_.answered("EnqueueBatch", TraitsOf(error.code).name);
    reactor->Finish(rpc::ToGrpcStatus(error));
    return reactor;
  };
  const auto client = ClientOf(*context);
  if (!client) return refuse(client.error());
  const int count = request->alerts_size();
  if (count < 1 || count > kMaxBatch)
    return refuse({.code = ErrorCode::kTooManyItems,
                   .message = "a batch has 1 to 1000 alerts, this one " + std::to_string(count),
                   .field = "alerts"});
  for (int i = 0; i < count; ++i) response->add_results();
  const auto open = std::make_shared<std::atomic<int>>(count);
  const std::string trace = TraceOf(*context);
  for (int i = 0; i < count; ++i) {
    acceptance_.Enqueue(*client, request->alerts(i), trace,
                        [this, reactor, open,
                         slot = response->mutable_results(i)](Result<v1::EnqueueResponse> result) {
                          observer_.answered("EnqueueBatch",
                                             result ? "OK" : TraitsOf(result.error().code).name);
                          if (result) {
                            *slot->mutable_accepted() = *std::move(result);
                          } else {
                            *slot->mutable_error() = rpc::ToRpcStatus(result.error());
                          }
                          if (open->fetch_sub(1) == 1) reactor->Finish(grpc::Status::OK);
                        });
  }
  return reactor;
}

grpc::ServerBidiReactor<v1::EnqueueStreamRequest, v1::EnqueueStreamResponse>*
AlertService::EnqueueStream(grpc::CallbackServerContext* context) {
  const auto client = ClientOf(*context);
  if (!client) {
    observer_.answered("EnqueueStream", TraitsOf(client.error().code).name);
    return new RefusedStream(rpc::ToGrpcStatus(client.error()));
  }
  return new ingress::EnqueueStream(*client, TraceOf(*context), acceptance_, observer_);
}

grpc::ServerUnaryReactor* AlertService::RefuseUnbuilt(grpc::CallbackServerContext& context,
                                                      const char* what) {
  grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
  const auto client = ClientOf(context);
  reactor->Finish(rpc::ToGrpcStatus(
      client ? Error{.code = ErrorCode::kNotBuilt,
                     .message = std::string(what) + " is not served by this version"}
             : client.error()));
  return reactor;
}

grpc::ServerUnaryReactor* AlertService::Cancel(grpc::CallbackServerContext* context,
                                               const v1::CancelRequest* request,
                                               v1::CancelResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto answer = Answering("Cancel", reactor, response);
  if (const auto client = ClientOf(*context)) {
    marking_.Cancel(*client, *request, TraceOf(*context), std::move(answer));
  } else {
    answer(Fail(client.error()));
  }
  return reactor;
}

grpc::ServerUnaryReactor* AlertService::Acknowledge(grpc::CallbackServerContext* context,
                                                    const v1::AcknowledgeRequest* request,
                                                    v1::AcknowledgeResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto answer = Answering("Acknowledge", reactor, response);
  if (const auto client = ClientOf(*context)) {
    marking_.Acknowledge(*client, *request, TraceOf(*context), std::move(answer));
  } else {
    answer(Fail(client.error()));
  }
  return reactor;
}

grpc::ServerUnaryReactor* AlertService::DryRun(grpc::CallbackServerContext* context,
                                               const v1::DryRunRequest*, v1::DryRunResponse*) {
  return RefuseUnbuilt(*context, "DryRun");
}

}  // namespace tocsin::ingress
