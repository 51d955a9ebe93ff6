// A unary request that is answered on a reader's thread.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/postgres/reader_pool.h"

namespace tocsin::audit {

// Called when a request ends. `error`: nothing for OK. `duration`: since the request arrived, waits
// included. Must not block.
using RequestObserver =
    std::function<void(std::string_view method, std::optional<ErrorCode> error, Micros duration)>;

Micros ElapsedSince(SteadyTime start);

// kOverloaded with a short retry delay.
Error OverloadedError(std::string message);

// Lives until gRPC has finished it: made by new, it deletes itself. Must be ended once.
class UnaryRequest : public grpc::ServerUnaryReactor {
 public:
  // `method` is a literal; the others outlive the request.
  UnaryRequest(std::string_view method, postgres::ReaderPool& readers,
               const RequestObserver& observer)
      : method_(method), readers_(readers), observer_(observer) {}

  // Runs `work` on a thread of the readers and ends the request with its result.
  void Run(std::function<Status(postgres::Session&)> work);

  // Sends the response or the error, and reports to the observer.
  void End(const Status& status);

  void OnDone() override { delete this; }

 private:
  const std::string_view method_;
  postgres::ReaderPool& readers_;
  const RequestObserver& observer_;
  const SteadyTime start_ = std::chrono::steady_clock::now();
};

}  // namespace tocsin::audit
