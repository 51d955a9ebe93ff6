// AlertService on gRPC's callback API: no thread per request.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "common/base/trace.h"
#include "common/rpc/admission_gate.h"
#include "services/ingress/acceptance/acceptance.h"
#include "services/ingress/actions/alert_actions.h"
#include "tocsin/v1/alert_service.grpc.pb.h"

namespace tocsin::ingress {

constexpr int kMaxBatchAlerts = 1000;
constexpr int kMaxStreamRequestAlerts = 100;
constexpr int kMaxOpenStreamRequests = 10;  // then nothing is read until one has its response

// The age at which a stream ends by itself. Together with the time to respond to its requests it is
// less than the age at which rpc::Server closes a connection, so that no request is cut off.
constexpr std::chrono::minutes kMaxStreamAge{4};

// Room for the largest valid batch without plans: 1 000 texts of 1 600 characters with four bytes
// each, and their labels, have 9 MiB. gRPC refuses a larger one with RESOURCE_EXHAUSTED.
constexpr int kMaxRequestBytes = 16 * 1024 * 1024;

// A request that ended, or one request of a stream.
struct FinishedRequest {
  std::string_view method;         // "Enqueue"
  std::optional<ErrorCode> error;  // nothing if only single alerts of it were refused
  std::string alert_id;            // of an Enqueue that was accepted; else empty
  TraceContext trace;
  Micros duration{};
};

// For metrics, spans and the log. Called on any thread; must not block.
struct AlertServiceObserver {
  // The result of a request; of EnqueueBatch and EnqueueStream, of each alert.
  std::function<void(std::string_view method, std::optional<ErrorCode> error)> result =
      [](std::string_view, std::optional<ErrorCode>) {};
  std::function<void(const FinishedRequest& request)> finished = [](const FinishedRequest&) {};
};

class EnqueueStream;

// The generated service with callback methods. EnqueueStream gets its requests as bytes, because it
// reports itself which of them cannot be parsed.
template <typename Base>
using WithUnaryMethods = v1::AlertService::WithCallbackMethod_Enqueue<
    v1::AlertService::WithCallbackMethod_EnqueueBatch<v1::AlertService::WithCallbackMethod_Cancel<
        v1::AlertService::WithCallbackMethod_Acknowledge<
            v1::AlertService::WithCallbackMethod_DryRun<Base>>>>>;
using AlertServiceBase = WithUnaryMethods<
    v1::AlertService::WithRawCallbackMethod_EnqueueStream<v1::AlertService::Service>>;

class AlertService final : public AlertServiceBase {
 public:
  // All must outlive the server. A stream ends itself at `max_stream_age`.
  AlertService(rpc::AdmissionGate& gate, Acceptance& acceptance, AlertActions& alert_actions,
               AlertServiceObserver observer, SteadyTime::duration max_stream_age = kMaxStreamAge);

  grpc::ServerUnaryReactor* Enqueue(grpc::CallbackServerContext* context,
                                    const v1::EnqueueRequest* request,
                                    v1::EnqueueResponse* response) override;
  grpc::ServerUnaryReactor* EnqueueBatch(grpc::CallbackServerContext* context,
                                         const v1::EnqueueBatchRequest* request,
                                         v1::EnqueueBatchResponse* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* EnqueueStream(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context,
                                   const v1::CancelRequest* request,
                                   v1::CancelResponse* response) override;
  grpc::ServerUnaryReactor* Acknowledge(grpc::CallbackServerContext* context,
                                        const v1::AcknowledgeRequest* request,
                                        v1::AcknowledgeResponse* response) override;
  // Not implemented yet: kUnimplemented.
  grpc::ServerUnaryReactor* DryRun(grpc::CallbackServerContext* context,
                                   const v1::DryRunRequest* request,
                                   v1::DryRunResponse* response) override;

  // Closes the gate: later requests fail with rpc::ShuttingDownError(), and open streams end with
  // it when their requests have responses. Requests in flight go on.
  void ShutDown();

 private:
  template <typename Response>
  std::function<void(Result<Response>)> Responder(std::string_view method,
                                                  const TraceContext& trace,
                                                  grpc::ServerUnaryReactor* reactor,
                                                  Response* response) const;
  // Authenticates a unary request and runs `handler`, which calls back with the response.
  template <typename Response, typename Handler>
  grpc::ServerUnaryReactor* Handle(std::string_view method, grpc::CallbackServerContext& context,
                                   Response* response, Handler handler);

  rpc::AdmissionGate& gate_;
  Acceptance& acceptance_;
  AlertActions& alert_actions_;
  const AlertServiceObserver observer_;
  const SteadyTime::duration max_stream_age_;

  std::mutex mutex_;
  bool shutting_down_ = false;
  std::set<std::shared_ptr<ingress::EnqueueStream>> streams_;  // open ones
};

}  // namespace tocsin::ingress
