// What the handlers of audit's services share: answering from a reader's thread.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/postgres/reader_pool.h"

namespace tocsin::audit {

// `reason` is a name of the closed list, or "OK"; `took` is from the call to its end, with what it
// waited for. Must not block.
using Answered = std::function<void(std::string_view method, std::string_view reason, Micros took)>;

// From then to now.
Micros Since(SteadyTime began);

Error Busy(std::string message);  // kOverloaded, to be tried again soon

// One unary call. It lives until gRPC is done with it; whoever takes the last step ends it, once.
class Call : public grpc::ServerUnaryReactor {
 public:
  // `method` is a literal; the others outlive the call.
  Call(std::string_view method, postgres::ReaderPool& readers, const Answered& answered)
      : method_(method), readers_(readers), answered_(answered) {}

  // Runs `work` on a thread of the readers and ends the call with what it gives.
  void Work(std::function<Status(postgres::Session&)> work);

  // Answers and counts.
  void End(const Status& status);

  void OnDone() override { delete this; }

 private:
  const std::string_view method_;
  postgres::ReaderPool& readers_;
  const Answered& answered_;
  const SteadyTime began_ = std::chrono::steady_clock::now();
};

}  // namespace tocsin::audit
