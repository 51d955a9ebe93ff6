// Bounds the POSTs in progress by priority.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <optional>

#include "common/async/callback.h"
#include "common/async/scheduler.h"
#include "common/async/task.h"
#include "common/base/time.h"
#include "common/ports/clock.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin {

struct PostLimits {
  size_t posts = 1000;   // of the lowest priority in progress
  size_t reserved = 50;  // beyond `posts`: room that each priority leaves to the one above it
};

// Before a POST an attempt is claimed and its start is published. A delivery begins that a little
// before a permit becomes free, because otherwise the room of a POST would be empty meanwhile: as
// many as permits were released in this time may be in preparation or wait. While POSTs do not end,
// none is.
constexpr Micros kPostPreparation = std::chrono::milliseconds(20);

class PostLimiter;

// The right of one delivery to prepare a POST, and to make it after AwaitTurn(). Released by its
// destructor. The limiter outlives it.
class PostPermit {
 public:
  PostPermit(PostPermit&& other) noexcept;
  PostPermit& operator=(PostPermit&&) = delete;
  ~PostPermit() { Release(); }

  // Waits until fewer POSTs are in progress than the limit. False if that takes until `deadline`,
  // or if the limiter was closed: the POST must not be made.
  Task<bool> AwaitTurn(SteadyTime deadline);

  // The POST has ended. Does nothing after the first call.
  void Release();

 private:
  friend class PostLimiter;
  PostPermit(PostLimiter& limiter, v1::Priority priority)
      : limiter_(&limiter), priority_(priority) {}

  PostLimiter* limiter_;  // nullptr: released
  v1::Priority priority_;
  bool posting_ = false;
};

// The lowest priority has `posts` POSTs in progress at most, and each other one `reserved` more
// than the one below it: no priority takes the room of a higher one. Among those that wait and have
// room, the first one called gets the next turn. Used on the scheduler's thread. The clock and the
// scheduler outlive it.
class PostLimiter {
 public:
  PostLimiter(const Clock& clock, Scheduler& scheduler, PostLimits limits);
  PostLimiter(const PostLimiter&) = delete;
  PostLimiter& operator=(const PostLimiter&) = delete;

  // Waits until a POST may be prepared. Nothing if the limiter was closed.
  Task<std::optional<PostPermit>> Acquire(v1::Priority priority);

  // Ends all waits; from then on nothing is permitted.
  void Close();

  // POSTs. Safe to call on any thread.
  size_t InProgress() const { return posting_.count; }

 private:
  friend class PostPermit;

  struct Waiting {
    v1::Priority priority;
    SteadyTime deadline;
    Callback<bool> done;
  };
  // Deliveries that prepare or make a POST, or only those that make it; and those that wait for it.
  struct Stage {
    std::atomic<size_t> count = 0;  // written on the scheduler's thread
    std::deque<Waiting> waiting;
  };

  Task<bool> Enter(Stage& stage, v1::Priority priority, SteadyTime deadline);
  void Leave(bool posting);
  bool HasRoom(const Stage& stage, v1::Priority priority);
  size_t ReleasedLately();
  void PostAdmit();
  void Admit(Stage& stage);
  void WatchDeadline();
  void EndLate();

  const Clock& clock_;
  Scheduler& scheduler_;
  const PostLimits limits_;
  Stage entered_;
  Stage posting_;
  std::deque<SteadyTime> released_;  // the last releases, `posts` at most
  bool admit_posted_ = false;
  bool deadline_watched_ = false;
  bool closed_ = false;
};

}  // namespace tocsin
