// The end of the ingress, in order: nothing that was accepted is lost.
#pragma once

#include <chrono>

#include "common/http/server.h"
#include "common/kafka/adaptive_producer.h"
#include "common/redis/admission_queue.h"
#include "common/rpc/admission_gate.h"
#include "common/rpc/server.h"
#include "common/service/runtime.h"
#include "services/ingress/rpc/alert_service.h"
#include "services/ingress/webhooks/work_finder.h"

namespace tocsin::ingress {

struct ShutdownParts {
  service::Runtime& runtime;
  rpc::Server& grpc;
  rpc::AdmissionGate& gate;
  AlertService& alerts;
  const Acceptance& acceptance;
  http::Server& http;
  WorkFinder& works;
  redis::AdmissionQueue& admissions;
  kafka::AdaptiveProducer& producer;
};

// Refuses new requests, finishes those in flight within `timeout`, and flushes the producer within
// another `timeout`. Blocks, also until the lookups of work records and the requests to Redis that
// are in progress have ended. Does not return if clients still send requests, if connections of the
// webhook server are open, or if records have no report: then it ends the process. Callers got no
// response for such requests and records.
void ShutDown(const ShutdownParts& parts, std::chrono::milliseconds timeout);

}  // namespace tocsin::ingress
