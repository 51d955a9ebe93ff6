// Claims and open tries in memory, by the rules of their ports; the contract suites hold it to
// them.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/domain/doubt.h"
#include "common/domain/folding.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/open_tries.h"

namespace tocsin {

// Safe to use from several threads. `clock` is the store's time.
class FakeClaims final : public Claims, public OpenTries {
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
    works_.clear();
    marks_.clear();
    open_.clear();
    down_ = true;
  }
  // `reason`: CANCELLED or ACKNOWLEDGED.
  void Mark(const std::string& alert_id, const std::string& reason) {
    const std::lock_guard lock(mutex_);
    marks_[alert_id].insert(reason);
  }

  Result<Claim> Take(const ClaimRequest& request) override {
    const std::lock_guard lock(mutex_);
    ++calls;
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
    made.twins = request.twins;
    clients_[request.name.alert_id()] = request.client_id;
    works_[StepKey(request.name)] = {request.name.try_(), request.work};
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
    ++calls;
    if (down_) return Down();
    const bool accepted = receipt.outcome() == v1::RECEIPT_OUTCOME_ACCEPTED;
    if (accepted && receipt.provider_sid().empty())
      return Fail(ErrorCode::kInvalidArgument, "an accepted try without a SID");
    if (accepted) {
      Owner& owner =
          sids_.try_emplace(receipt.provider_sid(), Owner{Key(name), false}).first->second;
      if (owner.name != Key(name) && !owner.guessed)
        return Fail(ErrorCode::kCorrupt, "the SID belongs to another try");
      if (owner.name != Key(name)) tries_[owner.name].robbed = true;
      owner = {Key(name), false};
    }
    Try& made = tries_[Key(name)];
    if (accepted) {
      made.ended = made.ended || IsEnd(receipt.status());
      Enter(name, receipt);
    }
    if (Takes(made, receipt, fence)) {
      made.state = State::kDone;
      made.receipt = receipt;
    }
    return made.state == State::kDone ? made.receipt : v1::Receipt();
  }

  Result<std::optional<v1::Receipt>> Settle(const DoubtRequest& request) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    const std::string key = Key(request.name);
    Try& made = tries_[key];
    if (made.state == State::kDone && !Doubted(made)) return std::optional(made.receipt);
    if (UnderWay(made)) return std::optional<v1::Receipt>();
    std::vector<v1::Receipt> free;
    for (const v1::Receipt& found : request.found) {
      const auto owner = sids_.find(found.provider_sid());
      if (owner == sids_.end()) free.push_back(found);
      if (owner == sids_.end() || owner->second.name != key) continue;
      Enter(request.name, found);
      return End(made, found);
    }
    size_t doubts = 1;
    size_t sending = 0;
    for (const auto& [name, twin] : tries_) {
      if (name == key || twin.twins != request.twins) continue;
      sending += UnderWay(twin) ? 1 : 0;
      doubts += Doubted(twin) ? 1 : 0;
    }
    if (!free.empty() && (free.size() >= doubts + sending || (request.unproven && sending == 0))) {
      sids_[free.front().provider_sid()] = {key, true};
      Enter(request.name, free.front());
      return End(made, free.front());
    }
    if (request.unproven) return End(made, *request.unproven);
    return std::optional<v1::Receipt>();
  }

  Status Learn(const KnownTry& known) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    if (known.mark) {
      marks_[known.name.alert_id()].insert(known.mark->acknowledged ? "ACKNOWLEDGED" : "CANCELLED");
      return {};
    }
    Try& made = tries_[Key(known.name)];
    clients_.try_emplace(known.name.alert_id(), known.client_id);
    made.ended = made.ended || known.ended;
    made.priced = made.priced || known.priced;
    if (known.receipt.outcome() == v1::RECEIPT_OUTCOME_UNSPECIFIED) {
      if (known.priced) return {};
      if (made.state == State::kSending) {
        made.began = std::min(made.began, known.time);
        made.lease_end = std::max(made.lease_end, known.lease_until);
      }
      if (made.state != State::kNeverBegun) return {};
      made.state = State::kSending;
      made.fence = 1;
      made.began = known.time;
      made.lease_end = known.lease_until;
      return {};
    }
    const bool done = made.state == State::kDone;
    if (done && (ProofOf(made.receipt) == Proof::kCertain ||
                 ProofOf(known.receipt) <= ProofOf(made.receipt)))
      return {};
    made.state = State::kDone;
    made.receipt = known.receipt;
    if (known.receipt.outcome() != v1::RECEIPT_OUTCOME_ACCEPTED) return {};
    sids_[known.receipt.provider_sid()] = {Key(known.name), ProofOf(known.receipt) == Proof::kList};
    Enter(known.name, known.receipt);
    return {};
  }

  WallTime KnownSince() const override { return known_since; }
  WallTime known_since = WallTime::min();
  int calls = 0;  // of Take and Keep

  Result<std::optional<std::string>> Work(const v1::TryName& name) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    const auto found = works_.find(StepKey(name));
    if (found == works_.end() || found->second.first != name.try_())
      return std::optional<std::string>();
    return std::optional(found->second.second);
  }

  Result<DueTries> Due(v1::Channel channel, WallTime now, std::size_t most) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    DueTries tries;
    std::vector<std::pair<WallTime, OpenTry>> due;
    for (const auto& [key, open] : open_) {
      if (open.channel != channel) continue;
      ++tries.open;
      if (open.at > now) continue;
      const Try& made = tries_[key];
      OpenTry told{.name = open.name,
                   .client_id = clients_[open.name.alert_id()],
                   .receipt = made.receipt,
                   .ended = made.ended,
                   .priced = made.priced,
                   .holds_sid = !made.robbed,
                   .work = {}};
      const auto kept = works_.find(StepKey(open.name));
      v1::WorkRecord work;
      if (kept != works_.end() && work.ParseFromString(kept->second.second)) told.work = work;
      due.emplace_back(open.at, std::move(told));
    }
    std::ranges::sort(due, {}, [](const auto& one) { return one.first; });
    for (auto& [at, told] : due)
      if (tries.due.size() < most) tries.due.push_back(std::move(told));
    return tries;
  }

  Status Note(v1::Channel, const v1::TryName& name, const Reconciled& found) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    Try& made = tries_[Key(name)];
    made.ended = made.ended || found.ended;
    made.priced = made.priced || found.priced;
    const auto open = open_.find(Key(name));
    if (open == open_.end()) return {};
    if (found.again)
      open->second.at = *found.again;
    else
      open_.erase(open);
    return {};
  }

 private:
  enum class State { kNeverBegun, kSending, kDone };
  struct Try {
    State state = State::kNeverBegun;
    std::uint64_t fence = 0;
    WallTime began;
    WallTime lease_end;
    v1::Receipt receipt;
    std::string twins;
    bool ended = false;
    bool priced = false;
    bool robbed = false;
  };
  struct Open {
    v1::TryName name;
    v1::Channel channel;
    WallTime at;
  };
  struct Owner {
    std::string name;
    bool guessed;  // from a list
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
  static std::string StepKey(const v1::TryName& name) {
    return name.alert_id() + "." + std::to_string(name.step());
  }
  static tl::unexpected<Error> Down() {
    return Fail(ErrorCode::kRedisUnavailable, "the store does not answer");
  }
  bool Takes(const Try& made, const v1::Receipt& receipt, std::uint64_t fence) const {
    const bool accepted = receipt.outcome() == v1::RECEIPT_OUTCOME_ACCEPTED;
    if (made.state == State::kDone) {
      const Proof stands = ProofOf(made.receipt);
      return accepted && stands != Proof::kCertain && ProofOf(receipt) > stands;
    }
    if (accepted) return true;
    if (made.state != State::kSending) return false;
    return fence == made.fence || (fence == 0 && clock_.Now() >= made.lease_end);
  }
  bool UnderWay(const Try& made) const {
    return made.state == State::kSending && made.lease_end > clock_.Now();
  }
  bool Doubted(const Try& made) const {
    return (made.state == State::kSending && !UnderWay(made)) ||
           (made.state == State::kDone && ProofOf(made.receipt) == Proof::kDoubt);
  }
  static std::optional<v1::Receipt> End(Try& made, const v1::Receipt& receipt) {
    made.state = State::kDone;
    made.receipt = receipt;
    return receipt;
  }

  void Enter(const v1::TryName& name, const v1::Receipt& receipt) {
    const Try& made = tries_[Key(name)];
    if (made.ended && made.priced) return;
    const bool call = receipt.provider_sid().starts_with("CA");
    open_.try_emplace(Key(name), Open{name, call ? v1::CHANNEL_VOICE : v1::CHANNEL_SMS,
                                      clock_.Now() + ReconcileSchedule().first_look});
  }

  const Clock& clock_;
  std::mutex mutex_;
  bool down_ = false;
  std::map<std::string, Try> tries_;
  std::map<std::string, Owner> sids_;
  std::map<std::string, std::pair<std::uint32_t, std::string>> works_;  // of a step's newest try
  std::map<std::string, std::set<std::string>> marks_;
  std::map<std::string, Open> open_;
  std::map<std::string, std::string> clients_;  // by alert
};

}  // namespace tocsin
