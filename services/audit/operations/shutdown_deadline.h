// Ends the process if its shutdown takes too long.
#pragma once

#include <chrono>
#include <thread>

#include "common/service/runtime.h"

namespace tocsin::audit {

// Construct it before the components, so that it covers their destructors. A statement or
// librdkafka's close may block for longer than an operator waits. Nothing is lost by ending the
// process: applied batches are committed, and a redrive that was decided is completed when the
// operator repeats the request.
class ShutdownDeadline {
 public:
  explicit ShutdownDeadline(service::Runtime& runtime) : runtime_(runtime) {}

  // The process ends in `limit` unless *this is destroyed before.
  void Start(std::chrono::milliseconds limit);

 private:
  service::Runtime& runtime_;
  std::jthread thread_;
};

}  // namespace tocsin::audit
