// Whether an attempt of an alert was started by the order of the log before its cancellation.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>

#include "common/async/blocking_pool.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/record_history.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::ingress {

class StartCheck {
 public:
  virtual ~StartCheck() = default;

  // `cancellation`: position of an event with the cancellation. No attempt was started before
  // `from`. Calls `done` once, with CANCELLED if Twilio certainly has none of the attempts, else
  // with TOO_LATE or ALREADY_ENDED. Fails with kOverloaded on the caller's thread; with
  // kKafkaUnavailable within about 5 s. Never blocks. Safe to use from several threads.
  virtual void Run(const std::string& alert_id, const records::v1::Position& cancellation,
                   WallTime from, std::function<void(Result<v1::CancelOutcome>)> done) = 0;
};

// Reads the log on threads of its own. The history outlives it. Its destructor drops checks that
// have not begun: no request may be waiting by then.
class LogStartCheck final : public StartCheck {
 public:
  static constexpr std::size_t kThreads = 4;
  static constexpr std::size_t kMaxPending = 200;

  explicit LogStartCheck(RecordHistory& history) : history_(history) {}

  void Run(const std::string& alert_id, const records::v1::Position& cancellation, WallTime from,
           std::function<void(Result<v1::CancelOutcome>)> done) override;

 private:
  Result<v1::CancelOutcome> Read(const std::string& alert_id,
                                 const records::v1::Position& cancellation, WallTime from) const;

  RecordHistory& history_;
  std::atomic<std::size_t> pending_{0};
  BlockingPool pool_{kThreads};
};

}  // namespace tocsin::ingress
