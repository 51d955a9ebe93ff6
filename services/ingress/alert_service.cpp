#include "services/ingress/alert_service.h"

#include <atomic>
#include <memory>
#include <utility>

#include "common/rpc/auth.h"
#include "common/rpc/errors.h"
#include "services/ingress/enqueue_stream.h"

namespace tocsin::ingress {
namespace {

TraceContext TraceOf(const grpc::CallbackServerContext& context) {
  return TraceContext::Continue(rpc::Traceparent(context).value_or(""));
}

Micros Since(SteadyTime began) {
  return std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - began);
}

// A stream that is refused before its first frame.
class RefusedStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

AlertService::AlertService(rpc::Door& door, Acceptance& acceptance, Marking& marking,
                           AlertServiceObserver observer, SteadyTime::duration stream_life)
    : door_(door),
      acceptance_(acceptance),
      marking_(marking),
      observer_(std::move(observer)),
      stream_life_(stream_life) {}

// Finishes a unary call with what it came to.
template <typename Response>
std::function<void(Result<Response>)> AlertService::Answering(const char* method,
                                                              const TraceContext& trace,
                                                              grpc::ServerUnaryReactor* reactor,
                                                              Response* response) const {
  return [this, method, trace, reactor, response,
          began = std::chrono::steady_clock::now()](Result<Response> result) {
    const std::string_view reason = result ? "OK" : TraitsOf(result.error().code).name;
    std::string alert_id;
    if constexpr (requires { result->alert_id(); })
      if (result) alert_id = result->alert_id();
    observer_.answered(method, reason);
    observer_.finished({method, reason, std::move(alert_id), trace, Since(began)});
    if (result) *response = *std::move(result);
    reactor->Finish(result ? grpc::Status::OK : rpc::ToGrpcStatus(result.error()));
  };
}

void AlertService::StopTaking() {
  door_.Close();
  std::set<std::shared_ptr<ingress::EnqueueStream>> open;
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
    open = streams_;  // held here: one that ends meanwhile leaves the set, not the world
  }
  for (const auto& stream : open) stream->Leave();
}

Result<std::string> AlertService::ClientOf(const grpc::CallbackServerContext& context) {
  return door_.Admit(context, Scope::kSend);
}

grpc::ServerUnaryReactor* AlertService::Enqueue(grpc::CallbackServerContext* context,
                                                const v1::EnqueueRequest* request,
                                                v1::EnqueueResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const TraceContext trace = TraceOf(*context);
  auto answer = Answering("Enqueue", trace, reactor, response);
  if (const auto client = ClientOf(*context)) {
    acceptance_.Enqueue(*client, *request, trace.Text(), std::move(answer));
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
  const TraceContext trace = TraceOf(*context);
  const SteadyTime began = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    acceptance_.Enqueue(*client, request->alerts(i), trace.Text(),
                        [this, reactor, open, trace, began,
                         slot = response->mutable_results(i)](Result<v1::EnqueueResponse> result) {
                          observer_.answered("EnqueueBatch",
                                             result ? "OK" : TraitsOf(result.error().code).name);
                          if (result) {
                            *slot->mutable_accepted() = *std::move(result);
                          } else {
                            *slot->mutable_error() = rpc::ToRpcStatus(result.error());
                          }
                          if (open->fetch_sub(1) != 1) return;
                          observer_.finished({"EnqueueBatch", "OK", "", trace, Since(began)});
                          reactor->Finish(grpc::Status::OK);
                        });
  }
  return reactor;
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* AlertService::EnqueueStream(
    grpc::CallbackServerContext* context) {
  const auto client = ClientOf(*context);
  if (!client) {
    observer_.answered("EnqueueStream", TraitsOf(client.error().code).name);
    return new RefusedStream(rpc::ToGrpcStatus(client.error()));
  }
  const auto stream = std::make_shared<ingress::EnqueueStream>(
      *client, TraceOf(*context), acceptance_, observer_, stream_life_);
  stream->OnEnd([this, held = std::weak_ptr(stream)] {
    const auto kept = held.lock();  // let go after the lock
    const std::lock_guard lock(mutex_);
    streams_.erase(kept);
  });
  bool leaving = false;
  {
    const std::lock_guard lock(mutex_);
    streams_.insert(stream);
    leaving = leaving_;
  }
  if (leaving) stream->Leave();
  return stream.get();
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
  const TraceContext trace = TraceOf(*context);
  auto answer = Answering("Cancel", trace, reactor, response);
  if (const auto client = ClientOf(*context)) {
    marking_.Cancel(*client, *request, trace.Text(), std::move(answer));
  } else {
    answer(Fail(client.error()));
  }
  return reactor;
}

grpc::ServerUnaryReactor* AlertService::Acknowledge(grpc::CallbackServerContext* context,
                                                    const v1::AcknowledgeRequest* request,
                                                    v1::AcknowledgeResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const TraceContext trace = TraceOf(*context);
  auto answer = Answering("Acknowledge", trace, reactor, response);
  if (const auto client = ClientOf(*context)) {
    marking_.Acknowledge(*client, *request, trace.Text(), std::move(answer));
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
