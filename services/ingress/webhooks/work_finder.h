// Finds the work record of a call's attempt: in the store, or else in the log.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/time.h"
#include "common/ports/clock.h"
#include "common/ports/work_lookup.h"

namespace tocsin::ingress {

// Threads of its own wait for store and log, so that no thread of the webhook server does.
class WorkFinder final : public WorkLookup {
 public:
  static constexpr size_t kThreads = 4;
  static constexpr size_t kMaxPending = 1'000;
  // Twilio gives up after that (kCallbackOverrides, rt).
  static constexpr std::chrono::milliseconds kMaxWait{3'000};

  // Each blocks and returns the bytes of the record, or nothing if it has none.
  struct Sources {
    std::function<Result<std::optional<std::string>>(const v1::AttemptRef& attempt)> store;
    std::function<Result<std::optional<std::string>>(const records::v1::Position& position)> log;
  };

  WorkFinder(Sources sources, const Clock& clock);  // `clock` outlives it
  ~WorkFinder() override { Stop(); }

  // Fails pending lookups with kOverloaded, and later ones too. Blocks until the lookups in
  // progress have ended; nothing is called back after it.
  void Stop();

  // Does not search, and fails with kOverloaded, if no thread was free for kMaxWait.
  void Find(const v1::AttemptRef& attempt, const records::v1::Position& position,
            std::function<void(Result<records::v1::WorkRecord>)> done) override;

 private:
  struct Pending {
    v1::AttemptRef attempt;
    records::v1::Position position;
    std::function<void(Result<records::v1::WorkRecord>)> done;
    SteadyTime deadline;  // to start
  };

  void Run();
  Result<records::v1::WorkRecord> Search(const Pending& pending) const;

  const Sources sources_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<Pending> pending_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tocsin::ingress
