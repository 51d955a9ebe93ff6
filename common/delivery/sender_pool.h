// The pool of blocking senders and the bounded lanes they take from.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "common/delivery/lane_picker.h"
#include "common/delivery/pipeline.h"

namespace tocsin {

struct SenderPoolSettings {
  size_t senders = 100;            // threads; each holds one record at a time
  size_t kept_for_emergency = 10;  // of them
  size_t lane_capacity = 1000;     // records waiting in a lane; a full lane takes no more
};

// What happened, for metrics. Called on sender threads; must not block.
struct SenderPoolObserver {
  std::function<void(Passage passage, Micros took)> delivered = [](Passage, Micros) {};
  std::function<void(const Error& error)> held = [](const Error&) {};  // a neighbour did not answer
};

// Takes records in, delivers each, and says when it is finished. A record whose neighbours do not
// answer stays with its sender, which tries again after a short wait that grows to a second: while
// a store is down the senders fill up, then the lanes, then the consumers pause, and nothing is
// dropped.
class SenderPool {
 public:
  using Finish =
      std::function<void()>;  // called once, on a sender's thread, when the offset may be stored

  // What brings one record to where its offset may be stored. Blocks; called on sender threads.
  using Deliver = std::function<Result<Passage>(const IncomingRecord& record)>;

  SenderPool(Deliver deliver, SenderPoolSettings settings, SenderPoolObserver observer);
  SenderPool(DeliveryPipeline& pipeline, SenderPoolSettings settings, SenderPoolObserver observer)
      : SenderPool([&pipeline](const IncomingRecord& record) { return pipeline.Deliver(record); },
                   settings, std::move(observer)) {}
  ~SenderPool();  // Stop(now)

  // False when the lane is full or the pool is stopping: keep the record and offer it again. Never
  // blocks.
  bool Offer(size_t lane, IncomingRecord&& record, Finish finish);

  // Ends: what waits in lanes is dropped unfinished (it will be read again), what is with a sender
  // is finished, at most until `deadline`. True when every sender came to its end by then. May be
  // called once.
  bool Stop(std::chrono::steady_clock::time_point deadline);

  size_t Waiting(size_t lane) const;
  size_t Busy() const { return busy_.load(); }
  bool Held() const { return held_.load() > 0; }  // some sender waits for a neighbour

 private:
  struct Item {
    IncomingRecord record;
    Finish finish;
  };

  void Serve(bool emergency_only);
  bool Take(bool emergency_only, Item& item);
  void DeliverUntilDone(Item& item);

  const Deliver deliver_;
  const SenderPoolSettings settings_;
  const SenderPoolObserver observer_;

  mutable std::mutex mutex_;
  std::condition_variable work_;       // a lane got a record
  std::condition_variable emergency_;  // the first lane did
  std::condition_variable retry_;      // stopping: wake those who wait for a neighbour
  std::condition_variable ended_;
  std::array<std::deque<Item>, kLanes> lanes_;
  LanePicker picker_;
  bool stopping_ = false;
  size_t alive_ = 0;
  std::atomic<size_t> busy_{0};
  std::atomic<size_t> held_{0};
  std::vector<std::thread> threads_;
};

}  // namespace tocsin
