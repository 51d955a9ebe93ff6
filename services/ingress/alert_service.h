// AlertService on gRPC's callback API: no thread per call.
#pragma once

#include <functional>
#include <string>

#include "common/ports/registry_source.h"
#include "services/ingress/acceptance.h"
#include "services/ingress/marking.h"
#include "tocsin/v1/alert_service.grpc.pb.h"

namespace tocsin::ingress {

constexpr int kMaxBatch = 1000;
constexpr int kMaxFrame = 100;
constexpr int kMaxOpenFrames = 10;  // then the stream is not read until one is answered

// What happened to one alert or call, for metrics. Must not block.
struct AlertServiceObserver {
  // `reason` is a name of the closed list, or "OK"; `method` is the RPC's name.
  std::function<void(std::string_view method, std::string_view reason)> answered =
      [](std::string_view, std::string_view) {};
};

class AlertService final : public v1::AlertService::CallbackService {
 public:
  // All must outlive the server that serves this.
  AlertService(const RegistrySource& registry, Acceptance& acceptance, Marking& marking,
               AlertServiceObserver observer);

  grpc::ServerUnaryReactor* Enqueue(grpc::CallbackServerContext* context,
                                    const v1::EnqueueRequest* request,
                                    v1::EnqueueResponse* response) override;
  grpc::ServerUnaryReactor* EnqueueBatch(grpc::CallbackServerContext* context,
                                         const v1::EnqueueBatchRequest* request,
                                         v1::EnqueueBatchResponse* response) override;
  grpc::ServerBidiReactor<v1::EnqueueStreamRequest, v1::EnqueueStreamResponse>* EnqueueStream(
      grpc::CallbackServerContext* context) override;

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
  Result<std::string> ClientOf(const grpc::CallbackServerContext& context) const;
  template <typename Response>
  std::function<void(Result<Response>)> Answering(const char* method,
                                                  grpc::ServerUnaryReactor* reactor,
                                                  Response* response) const;
  grpc::ServerUnaryReactor* RefuseUnbuilt(grpc::CallbackServerContext& context, const char* what);

  const RegistrySource& registry_;
  Acceptance& acceptance_;
  Marking& marking_;
  const AlertServiceObserver observer_;
};

}  // namespace tocsin::ingress
