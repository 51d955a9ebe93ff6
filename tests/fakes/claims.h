// Claims in memory, by the rules of the port; the contract suite holds it to them.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "common/ports/claims.h"
#include "common/ports/clock.h"

namespace tocsin {

// Safe to use from several threads. `clock` is the store's time.
class FakeClaims final : public Claims {
 public:
  explicit FakeClaims(const Clock& clock) : clock_(clock) {}

  // From now on every call fails with kRedisUnavailable, until it is up again.
  void SetDown(bool down) {
    const std::lock_guard lock(mutex_);
    down_ = down;
  }
  // The store was flushed: all is gone, and every call fails.
  void LoseMemory() {
    const std::lock_guard lock(mutex_);
    tries_.clear();
    sids_.clear();
    marks_.clear();
    down_ = true;
  }
  // `reason`: CANCELLED or ACKNOWLEDGED.
  void Mark(const std::string& alert_id, const std::string& reason) {
    const std::lock_guard lock(mutex_);
    marks_[alert_id].insert(reason);
  }

  Result<Claim> Take(const ClaimRequest& request) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    Try& made = tries_[Key(request.name)];
    const WallTime now = clock_.Now();
    if (made.state == State::kDone) return Ended(Claim::State::kDone, made.receipt);
    if (made.state == State::kSending) {
      Claim claim;
      claim.fence = made.fence;
      claim.began = made.began;
      claim.state = made.lease_end > now ? Claim::State::kBusy : Claim::State::kLapsed;
      if (made.lease_end > now) claim.lease_left = made.lease_end - now;
      return claim;
    }
    if (const auto marks = marks_.find(request.name.alert_id()); marks != marks_.end()) {
      made.state = State::kDone;
      made.receipt.set_outcome(v1::RECEIPT_OUTCOME_ENDED);
      made.receipt.set_status(v1::TRY_STATUS_CANCELLED);
      made.receipt.set_reason(marks->second.contains("CANCELLED") ? "CANCELLED" : "ACKNOWLEDGED");
      made.receipt.set_ended_us(ToUnixMicros(now));
      return Ended(Claim::State::kStopped, made.receipt);
    }
    if (request.end) {
      made.state = State::kDone;
      made.receipt = *request.end;
      return Ended(Claim::State::kDone, made.receipt);
    }
    made.state = State::kSending;
    ++made.fence;
    made.began = now;
    made.lease_end = now + request.lease;
    Claim claim;
    claim.state = Claim::State::kGranted;
    claim.fence = made.fence;
    claim.began = now;
    return claim;
  }

  Status Release(const v1::TryName& name, std::uint64_t fence) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    Try& made = tries_[Key(name)];
    if (made.state == State::kSending && made.fence == fence) made.state = State::kNeverBegun;
    return {};
  }

  Result<v1::Receipt> Keep(const v1::TryName& name, std::uint64_t fence,
                           const v1::Receipt& receipt) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    const bool accepted = receipt.outcome() == v1::RECEIPT_OUTCOME_ACCEPTED;
    if (accepted && receipt.provider_sid().empty())
      return Fail(ErrorCode::kInvalidArgument, "an accepted try without a SID");
    if (accepted && sids_.try_emplace(receipt.provider_sid(), Key(name)).first->second != Key(name))
      return Fail(ErrorCode::kCorrupt, "the SID belongs to another try");
    Try& made = tries_[Key(name)];
    if (Takes(made, accepted, fence)) {
      made.state = State::kDone;
      made.receipt = receipt;
    }
    return made.state == State::kDone ? made.receipt : v1::Receipt();
  }

 private:
  enum class State { kNeverBegun, kSending, kDone };
  struct Try {
    State state = State::kNeverBegun;
    std::uint64_t fence = 0;
    WallTime began;
    WallTime lease_end;
    v1::Receipt receipt;
  };

  static Claim Ended(Claim::State state, const v1::Receipt& receipt) {
    Claim claim;
    claim.state = state;
    claim.receipt = receipt;
    return claim;
  }
  static std::string Key(const v1::TryName& name) {
    return name.alert_id() + "." + std::to_string(name.step()) + "." + std::to_string(name.try_());
  }
  static tl::unexpected<Error> Down() {
    return Fail(ErrorCode::kRedisUnavailable, "the store does not answer");
  }
  static bool YieldsToAccepted(const v1::Receipt& receipt) {
    return receipt.outcome() == v1::RECEIPT_OUTCOME_IN_DOUBT ||
           receipt.outcome() == v1::RECEIPT_OUTCOME_NOT_SENT ||
           (receipt.outcome() == v1::RECEIPT_OUTCOME_ENDED && receipt.reason() == "IN_DOUBT");
  }
  bool Takes(const Try& made, bool accepted, std::uint64_t fence) const {
    if (made.state == State::kDone) return accepted && YieldsToAccepted(made.receipt);
    if (accepted) return true;
    if (made.state != State::kSending) return false;
    return fence == made.fence || (fence == 0 && clock_.Now() >= made.lease_end);
  }

  const Clock& clock_;
  std::mutex mutex_;
  bool down_ = false;
  std::map<std::string, Try> tries_;
  std::map<std::string, std::string> sids_;
  std::map<std::string, std::set<std::string>> marks_;
};

}  // namespace tocsin
