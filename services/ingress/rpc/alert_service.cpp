#include "services/ingress/rpc/alert_service.h"

#include <atomic>
#include <utility>

#include "common/rpc/auth.h"
#include "common/rpc/errors.h"
#include "services/ingress/rpc/enqueue_stream.h"

namespace tocsin::ingress {
namespace {

TraceContext TraceOf(const grpc::CallbackServerContext& context) {
  return TraceContext::Continue(rpc::Traceparent(context).value_or(""));
}

Micros Since(SteadyTime start) {
  return std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - start);
}

Status CheckBatchSize(int count) {
  const std::string expected = "a batch has 1 to 1000 alerts";
  if (count < 1) return Fail(ErrorCode::kInvalidArgument, expected, "alerts");
  if (count > kMaxBatchAlerts)
    return Fail(ErrorCode::kTooManyItems, expected + "; this one has " + std::to_string(count),
                "alerts");
  return {};
}

template <typename T>
std::optional<ErrorCode> ErrorOf(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error().code);
}

// A stream that is refused before its first request.
class RefusedStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

AlertService::AlertService(rpc::AdmissionGate& gate, Acceptance& acceptance,
                           AlertActions& alert_actions, AlertServiceObserver observer,
                           SteadyTime::duration max_stream_age)
    : gate_(gate),
      acceptance_(acceptance),
      alert_actions_(alert_actions),
      observer_(std::move(observer)),
      max_stream_age_(max_stream_age) {}

// Finishes a unary request with its result.
template <typename Response>
std::function<void(Result<Response>)> AlertService::Responder(std::string_view method,
                                                              const TraceContext& trace,
                                                              grpc::ServerUnaryReactor* reactor,
                                                              Response* response) const {
  return [this, method, trace, reactor, response,
          start = std::chrono::steady_clock::now()](Result<Response> result) {
    std::string alert_id;
    if constexpr (requires { result->alert_id(); })
      if (result) alert_id = result->alert_id();
    observer_.result(method, ErrorOf(result));
    observer_.finished({method, ErrorOf(result), std::move(alert_id), trace, Since(start)});
    if (!result) return reactor->Finish(rpc::ToGrpcStatus(result.error()));
    *response = *std::move(result);
    reactor->Finish(grpc::Status::OK);
  };
}

template <typename Response, typename Handler>
grpc::ServerUnaryReactor* AlertService::Handle(std::string_view method,
                                               grpc::CallbackServerContext& context,
                                               Response* response, Handler handler) {
  grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
  const TraceContext trace = TraceOf(context);
  auto done = Responder(method, trace, reactor, response);
  if (const auto client_id = gate_.Admit(context, Scope::kSend)) {
    handler(*client_id, trace, std::move(done));
  } else {
    done(Fail(client_id.error()));
  }
  return reactor;
}

grpc::ServerUnaryReactor* AlertService::Enqueue(grpc::CallbackServerContext* context,
                                                const v1::EnqueueRequest* request,
                                                v1::EnqueueResponse* response) {
  return Handle(
      "Enqueue", *context, response,
      [this, request](const std::string& client_id, const TraceContext& trace, auto done) {
        acceptance_.Enqueue(client_id, *request, trace.Text(), std::move(done));
      });
}

grpc::ServerUnaryReactor* AlertService::Cancel(grpc::CallbackServerContext* context,
                                               const v1::CancelRequest* request,
                                               v1::CancelResponse* response) {
  return Handle(
      "Cancel", *context, response,
      [this, request](const std::string& client_id, const TraceContext& trace, auto done) {
        alert_actions_.Cancel(client_id, *request, trace.Text(), std::move(done));
      });
}

grpc::ServerUnaryReactor* AlertService::Acknowledge(grpc::CallbackServerContext* context,
                                                    const v1::AcknowledgeRequest* request,
                                                    v1::AcknowledgeResponse* response) {
  return Handle(
      "Acknowledge", *context, response,
      [this, request](const std::string& client_id, const TraceContext& trace, auto done) {
        alert_actions_.Acknowledge(client_id, *request, trace.Text(), std::move(done));
      });
}

grpc::ServerUnaryReactor* AlertService::DryRun(grpc::CallbackServerContext* context,
                                               const v1::DryRunRequest*,
                                               v1::DryRunResponse* response) {
  return Handle("DryRun", *context, response,
                [](const std::string&, const TraceContext&, auto done) {
                  done(Fail(ErrorCode::kUnimplemented, "DryRun is not implemented yet"));
                });
}

grpc::ServerUnaryReactor* AlertService::EnqueueBatch(grpc::CallbackServerContext* context,
                                                     const v1::EnqueueBatchRequest* request,
                                                     v1::EnqueueBatchResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto refuse = [&](const Error& error) {
    observer_.result("EnqueueBatch", error.code);
    reactor->Finish(rpc::ToGrpcStatus(error));
    return reactor;
  };
  const auto client_id = gate_.Admit(*context, Scope::kSend);
  if (!client_id) return refuse(client_id.error());
  const int count = request->alerts_size();
  if (const Status valid = CheckBatchSize(count); !valid) return refuse(valid.error());
  for (int i = 0; i < count; ++i) response->add_results();
  const auto open = std::make_shared<std::atomic<int>>(count);
  const TraceContext trace = TraceOf(*context);
  const SteadyTime start = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    acceptance_.Enqueue(
        *client_id, request->alerts(i), trace.Text(),
        [this, reactor, open, trace, start,
         item = response->mutable_results(i)](Result<v1::EnqueueResponse> result) {
          observer_.result("EnqueueBatch", ErrorOf(result));
          if (result) {
            *item->mutable_accepted() = *std::move(result);
          } else {
            *item->mutable_error() = rpc::ToRpcStatus(result.error());
          }
          if (open->fetch_sub(1) != 1) return;
          observer_.finished({"EnqueueBatch", std::nullopt, "", trace, Since(start)});
          reactor->Finish(grpc::Status::OK);
        });
  }
  return reactor;
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* AlertService::EnqueueStream(
    grpc::CallbackServerContext* context) {
  const auto client_id = gate_.Admit(*context, Scope::kSend);
  if (!client_id) {
    observer_.result("EnqueueStream", client_id.error().code);
    return new RefusedStream(rpc::ToGrpcStatus(client_id.error()));
  }
  const auto stream = std::make_shared<ingress::EnqueueStream>(
      *client_id, TraceOf(*context), acceptance_, observer_, max_stream_age_);
  stream->OnEnd([this, held = std::weak_ptr(stream)] {
    const auto kept = held.lock();  // released after the mutex
    const std::lock_guard lock(mutex_);
    streams_.erase(kept);
  });
  bool shutting_down = false;
  {
    const std::lock_guard lock(mutex_);
    streams_.insert(stream);
    shutting_down = shutting_down_;
  }
  if (shutting_down) stream->ShutDown();
  return stream.get();
}

void AlertService::ShutDown() {
  gate_.Close();
  std::set<std::shared_ptr<ingress::EnqueueStream>> open;
  {
    const std::lock_guard lock(mutex_);
    shutting_down_ = true;
    open = streams_;  // keeps streams alive that end meanwhile
  }
  for (const auto& stream : open) stream->ShutDown();
}

}  // namespace tocsin::ingress
