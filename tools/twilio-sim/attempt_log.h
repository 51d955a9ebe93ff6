// The attempts to create messages or calls, with their results: tests compare their own records
// with it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "common/base/time.h"
#include "tools/twilio-sim/faults.h"

namespace tocsin::sim {

struct Attempt {
  std::uint64_t number = 0;  // from 1, in order of arrival
  WallTime at = {};
  std::uint64_t message = 0;  // number of the message or call if accepted, else 0
  int code = 0;               // error code of the refusal, or 0
  FaultKind fault = FaultKind::kNone;
  // Set only if not accepted; otherwise the message or call has them.
  std::string to = {};
  std::string from = {};
  std::string status_callback = {};
};

// Keeps the newest `keep` attempts.
class AttemptLog {
 public:
  explicit AttemptLog(size_t keep) : keep_(keep) {}

  std::uint64_t NextNumber() { return ++last_; }
  void Add(Attempt attempt) {
    if (kept_.size() >= keep_) {
      kept_.pop_front();
      ++dropped_;
    }
    kept_.push_back(std::move(attempt));
  }
  // Null if the attempt is not kept.
  const Attempt* Find(std::uint64_t number) const {
    return number < First() || number > Last() ? nullptr : &kept_[number - First()];
  }
  std::uint64_t First() const { return kept_.empty() ? last_ + 1 : kept_.front().number; }
  std::uint64_t Last() const { return kept_.empty() ? last_ : kept_.back().number; }
  std::uint64_t Dropped() const { return dropped_; }
  std::uint64_t Total() const { return last_; }
  void Clear(bool start_over) {
    kept_.clear();
    dropped_ = 0;
    if (start_over) last_ = 0;
  }

 private:
  size_t keep_;
  std::deque<Attempt> kept_;
  std::uint64_t last_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace tocsin::sim
