// Admissions in Redis: requests of many callers are sent in batches.
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

// Each thread has a connection. It takes the queued requests, 256 at most, and sends them as one
// pipeline: two commands for a confirmation, a script for each other request. Each pipeline reads
// the epoch last, so that requests are refused if Redis has lost data.
//
// There are two queues: urgent requests (marks, codes, admissions and confirmations of emergencies)
// and others. A batch has requests of one queue, and of the others only if nothing urgent is
// queued.
//
// When its queue is full, Admit(), Mark() and FindAckCode() fail with kOverloaded. Confirm(),
// ConfirmEmergency() and Withdraw() have twice its length, and are dropped beyond that or when
// Redis fails: the alert then stays `admitting`, and a repeated request publishes it again under
// its id. The order of requests is only kept within one queue and one thread: a Confirm() may be
// executed after a later Admit(), which then returns kRepublish.
class AdmissionQueue final : public Admissions {
 public:
  explicit AdmissionQueue(Server& server, unsigned threads = kAdmissionThreads,
                          std::size_t limit = kAdmissionQueueLimit);
  ~AdmissionQueue() override;
  AdmissionQueue(const AdmissionQueue&) = delete;
  AdmissionQueue& operator=(const AdmissionQueue&) = delete;

  // Refuses new requests, as if the queues were full, and blocks until the queued ones have ended,
  // for request_timeout (1 s) at most. Afterwards no thread of the queue calls back. Not in a
  // callback; the destructor does the same.
  void Stop();

  void Admit(AdmitRequest request, std::function<void(Result<Admission>)> done) override;
  void Confirm(const std::string& alert_id, const records::v1::Position& position,
               std::function<void()> done) override;
  void ConfirmEmergency(const std::string& alert_id, const records::v1::Position& position,
                        std::function<void()> done) override;
  void Withdraw(const std::string& alert_id, const std::string& idempotency_digest,
                const std::string& nonce) override;
  void Mark(MarkRequest request, std::function<void(Result<MarkResult>)> done) override;
  void FindAckCode(FindAckCodeRequest request,
                   std::function<void(Result<AckCodeMatches>)> done) override;

  std::size_t Depth() const;  // queued requests, of both queues

 private:
  struct AdmitOperation {
    AdmitRequest request;
    std::function<void(Result<Admission>)> done;
  };
  struct ConfirmOperation {
    std::string alert_id;
    records::v1::Position position;
    std::function<void()> done;
  };
  struct WithdrawOperation {
    std::string alert_id;
    std::string idempotency_digest;
    std::string nonce;
  };
  struct MarkOperation {
    MarkRequest request;
    std::function<void(Result<MarkResult>)> done;
  };
  struct FindAckCodeOperation {
    FindAckCodeRequest request;
    std::function<void(Result<AckCodeMatches>)> done;
  };
  struct QueuedRequest {
    std::variant<AdmitOperation, ConfirmOperation, WithdrawOperation, MarkOperation,
                 FindAckCodeOperation>
        operation;
    SteadyTime deadline;
  };
  using Queue = std::deque<QueuedRequest>;
  using Batch = std::vector<QueuedRequest>;
  // The replies to the commands of one request.
  using Replies = std::array<Reply, 2>;

  SteadyTime Deadline() const;
  bool Enqueue(Queue& queue, QueuedRequest request, std::size_t limit);
  Batch NextBatch();
  void Run();
  void Execute(std::optional<Connection>& connection, Batch& batch);
  void RefuseLate(Batch& batch);
  Result<Connection> Open(SteadyTime deadline);
  Result<std::vector<Replies>> Send(Connection& connection, const Batch& batch,
                                    EpochTracker::AdoptedEpoch& epoch, SteadyTime deadline);
  Status ResendByText(Connection& connection, const Batch& batch,
                      const EpochTracker::AdoptedEpoch& epoch, SteadyTime deadline,
                      std::vector<Replies>& replies);
  std::size_t AppendRequest(Connection& connection, const QueuedRequest& request,
                            const EpochTracker::AdoptedEpoch& epoch);
  std::optional<ScriptCall> ScriptCallOf(const QueuedRequest& request,
                                         const EpochTracker::AdoptedEpoch& epoch) const;
  static void Refuse(QueuedRequest& request, const Error& error);
  void Finish(QueuedRequest& request, Replies& replies, EpochTracker::AdoptedEpoch& epoch);
  Result<Admission> ParseAdmission(const AdmitRequest& request, Replies& replies,
                                   EpochTracker::AdoptedEpoch& epoch);
  Result<AckCodeMatches> ParseAckCodeMatches(Replies& replies, EpochTracker::AdoptedEpoch& epoch);
  Result<MarkResult> ParseMarkResult(const MarkRequest& request, Replies& replies,
                                     EpochTracker::AdoptedEpoch& epoch);

  Server& server_;
  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Queue urgent_;
  Queue others_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tocsin::redis
