// The door in Redis: admissions of many callers, gathered and sent together.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "common/ports/admissions.h"
#include "common/redis/server.h"

namespace tocsin::redis {

constexpr std::size_t kAdmissionQueueLimit = 20'000;
constexpr std::size_t kAdmissionBatchLimit = 256;
constexpr unsigned kAdmissionThreads = 2;

// Threads with a connection each take what waits, 256 at most, and ask for all of it in one round
// trip: a hash and its life for an alert without an idempotency key (no script: nothing can race
// for a new id), a script for one with a key and for a mark. The epoch is read last in each round,
// so that what was written into a Redis that lost its memory is refused.
//
// Admit() and Mark() of a full queue fail with kOverloaded. Confirm() and Withdraw() are dropped at
// twice that length and when Redis fails: the alert then stays `admitting`, and a repetition
// publishes it again under its id. Between two threads the order of requests is open: a
// confirmation may be overtaken by the next admission, which then says kAgain.
//
// Destruction refuses new requests and waits until those taken are answered, command_limit (1 s)
// at most.
class AdmissionQueue final : public Admissions {
 public:
  explicit AdmissionQueue(Server& server, unsigned threads = kAdmissionThreads,
                          std::size_t limit = kAdmissionQueueLimit);
  ~AdmissionQueue() override;
  AdmissionQueue(const AdmissionQueue&) = delete;
  AdmissionQueue& operator=(const AdmissionQueue&) = delete;

  void Admit(AdmitRequest request, std::function<void(Result<Admission>)> answer) override;
  void Confirm(const std::string& alert_id, const v1::Position& position,
               std::function<void()> done) override;
  void Withdraw(const std::string& alert_id, const std::string& idempotency_digest,
                const std::string& nonce) override;
  void Mark(MarkRequest request, std::function<void(Result<Marked>)> answer) override;

  std::size_t Waiting() const;  // for a gauge

 private:
  struct Entering {
    AdmitRequest request;
    std::function<void(Result<Admission>)> answer;
  };
  struct Confirming {
    std::string alert_id;
    v1::Position position;
    std::function<void()> done;
  };
  struct Withdrawing {
    std::string alert_id;
    std::string idempotency_digest;
    std::string nonce;
  };
  struct Marking {
    MarkRequest request;
    std::function<void(Result<Marked>)> answer;
  };
  struct Request {
    std::variant<Entering, Confirming, Withdrawing, Marking> what;
    SteadyTime deadline;
  };
  // One request's own answers within a round.
  struct Answers {
    std::array<Reply, 2> replies;
  };
  using Batch = std::vector<Request>;

  bool Put(Request request, std::size_t limit);
  Batch TakeBatch();
  void Work();
  void Serve(std::optional<Connection>& connection, Batch& batch);
  Result<Connection> Open(SteadyTime deadline);
  Result<std::vector<Answers>> Ask(Connection& connection, const Batch& batch, Memory::Held& held,
                                   SteadyTime deadline);
  Status AskByText(Connection& connection, const Batch& batch, const Memory::Held& held,
                   SteadyTime deadline, std::vector<Answers>& answers);
  std::size_t AppendRequest(Connection& connection, const Request& request,
                            const Memory::Held& held);
  std::optional<ScriptCall> ScriptOf(const Request& request) const;
  Result<Admission> Decide(const AdmitRequest& request, Answers& answers, Memory::Held& held);
  Result<Marked> ReadMark(const MarkRequest& request, Answers& answers, Memory::Held& held);

  Server& server_;
  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable waiting_;
  std::deque<Request> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tocsin::redis
