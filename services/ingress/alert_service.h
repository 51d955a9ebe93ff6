// AlertService on gRPC's callback API: no thread per call.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "common/base/trace.h"
#include "common/rpc/door.h"
#include "services/ingress/acceptance.h"
#include "services/ingress/marking.h"
#include "tocsin/v1/alert_service.grpc.pb.h"

namespace tocsin::ingress {

constexpr int kMaxBatch = 1000;
constexpr int kMaxFrame = 100;
constexpr int kMaxOpenFrames = 10;  // then the stream is not read until one is answered

// How old a stream becomes before it ends itself. With the time to answer its frames that is less
// than rpc::Server leaves a connection once it is to end, so no frame is cut off unanswered.
constexpr std::chrono::minutes kStreamLife{4};

// The largest batch that is legal has room: 1 000 texts of 1 600 characters with four bytes each,
// and their labels, take 9 MiB.
constexpr int kMaxRequestBytes = 16 * 1024 * 1024;

// A call that was answered whole, or a frame of a stream.
struct AnsweredCall {
  std::string_view method;
  std::string_view reason;  // "OK" also when single alerts of it were refused
  std::string alert_id;     // of an Enqueue that was accepted, else empty
  TraceContext trace;
  Micros took{};
};

// What happened to one alert or call, for metrics. Must not block.
struct AlertServiceObserver {
  // `reason` is a name of the closed list, or "OK"; `method` is the RPC's name.
  std::function<void(std::string_view method, std::string_view reason)> answered =
      [](std::string_view, std::string_view) {};
  std::function<void(const AnsweredCall& call)> finished = [](const AnsweredCall&) {};
};

class EnqueueStream;

// The generated CallbackService, but for EnqueueStream: that has its frames as bytes, and says
// itself which of them it cannot read.
template <typename Base>
using WithUnaryMethods = v1::AlertService::WithCallbackMethod_Enqueue<
    v1::AlertService::WithCallbackMethod_EnqueueBatch<v1::AlertService::WithCallbackMethod_Cancel<
        v1::AlertService::WithCallbackMethod_Acknowledge<
            v1::AlertService::WithCallbackMethod_DryRun<Base>>>>>;
using AlertServiceBase = WithUnaryMethods<
    v1::AlertService::WithRawCallbackMethod_EnqueueStream<v1::AlertService::Service>>;

class AlertService final : public AlertServiceBase {
 public:
  // All must outlive the server that serves this. A stream that is `stream_life` old ends itself.
  AlertService(rpc::Door& door, Acceptance& acceptance, Marking& marking,
               AlertServiceObserver observer, SteadyTime::duration stream_life = kStreamLife);

  grpc::ServerUnaryReactor* Enqueue(grpc::CallbackServerContext* context,
                                    const v1::EnqueueRequest* request,
                                    v1::EnqueueResponse* response) override;
  grpc::ServerUnaryReactor* EnqueueBatch(grpc::CallbackServerContext* context,
                                         const v1::EnqueueBatchRequest* request,
                                         v1::EnqueueBatchResponse* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* EnqueueStream(
      grpc::CallbackServerContext* context) override;

  // From now on calls are refused with rpc::LeavingError(), and open streams end so when their
  // frames are answered. Calls under way go on.
  void StopTaking();

  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context,
                                   const v1::CancelRequest* request,
                                   v1::CancelResponse* response) override;
  grpc::ServerUnaryReactor* Acknowledge(grpc::CallbackServerContext* context,
                                        const v1::AcknowledgeRequest* request,
                                        v1::AcknowledgeResponse* response) override;

  // Refused with NOT_BUILT: the wire is laid, the work behind it is not.
  grpc::ServerUnaryReactor* DryRun(grpc::CallbackServerContext* context,
                                   const v1::DryRunRequest* request,
                                   v1::DryRunResponse* response) override;

 private:
  Result<std::string> ClientOf(const grpc::CallbackServerContext& context);
  template <typename Response>
  std::function<void(Result<Response>)> Answering(const char* method, const TraceContext& trace,
                                                  grpc::ServerUnaryReactor* reactor,
                                                  Response* response) const;
  grpc::ServerUnaryReactor* RefuseUnbuilt(grpc::CallbackServerContext& context, const char* what);

  rpc::Door& door_;
  Acceptance& acceptance_;
  Marking& marking_;
  const AlertServiceObserver observer_;
  const SteadyTime::duration stream_life_;

  std::mutex mutex_;
  bool leaving_ = false;
  std::set<std::shared_ptr<ingress::EnqueueStream>> streams_;  // open ones
};

}  // namespace tocsin::ingress
