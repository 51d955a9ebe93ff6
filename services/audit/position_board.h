// How far the logs are folded, and who waits for that: reading one's own writes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/postgres/session.h"
#include "services/audit/intake.h"

namespace tocsin::audit {

constexpr size_t kMaxWaiting = 1'000;                // calls that wait at a time
constexpr std::chrono::milliseconds kPollEvery{50};  // the table, while somebody waits
constexpr std::chrono::milliseconds kPollLimit{1'000};

// Knows what this process folded, and asks the table for what other replicas folded, but only while
// somebody waits. One thread for all who wait. Thread-safe.
class PositionBoard {
 public:
  // Nothing wrong: the record is folded. Else kOverloaded when the wait was over or too many wait,
  // and kPostgresUnavailable when the table could not be asked. Called once, on any thread, the
  // caller's own included; must not block.
  using Answer = std::function<void(const Status& folded)>;
  using Ticket = std::uint64_t;

  PositionBoard(postgres::Options database, std::string cluster_id);
  ~PositionBoard();  // as Close()
  PositionBoard(const PositionBoard&) = delete;
  PositionBoard& operator=(const PositionBoard&) = delete;

  // Answers when the record at `offset` is folded, or at `deadline` (later by a poll when the table
  // is slow).
  Ticket Wait(const PartitionKey& partition, std::int64_t offset, SteadyTime deadline,
              Answer answer);

  // True: the call waited and will not be answered any more. False: it was, or is being answered.
  bool Forget(Ticket ticket);

  // What was folded here; never moves back.
  void Advance(const std::map<PartitionKey, std::int64_t>& next);

  // All who wait are answered (kOverloaded), and all who come later.
  void Close();

  size_t waiting() const;

 private:
  struct Waiter {
    PartitionKey partition;
    std::int64_t offset;
    SteadyTime deadline;
    Answer answer;
  };

  void Run();
  Status Poll();
  bool FoldedLocked(const PartitionKey& partition, std::int64_t offset) const;
  void AnswerOverdue(const Status& polled);

  const std::string cluster_id_;
  postgres::Session session_;  // of the thread
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<PartitionKey, std::int64_t> next_;
  std::map<Ticket, Waiter> waiters_;
  Ticket last_ticket_ = 0;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace tocsin::audit
