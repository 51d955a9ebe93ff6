// ClaimRestorer in memory: records what is restored and adopted.
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/claim_restorer.h"

namespace tocsin {

// One process. Several may share a store.
class FakeClaimRestorer final : public ClaimRestorer {
 public:
  class Store {
   public:
    StoreEpoch Epoch() const {
      const std::lock_guard lock(mutex_);
      return epoch_;
    }
    // The attempt numbers of what was restored in this epoch.
    std::vector<std::int32_t> Restored() const {
      const std::lock_guard lock(mutex_);
      return restored_;
    }
    // The requests of processes for the lease of another one.
    int RefusedLeases() const {
      const std::lock_guard lock(mutex_);
      return refused_leases_;
    }
    // The next `count` batches fail.
    void FailRestores(int count) {
      const std::lock_guard lock(mutex_);
      failures_ = count;
    }
    void ExpireLease() {
      const std::lock_guard lock(mutex_);
      holder_ = nullptr;
    }
    void LoseData(std::string next_epoch) {
      const std::lock_guard lock(mutex_);
      epoch_ = {.id = std::move(next_epoch), .restored = false};
      restored_.clear();
      holder_ = nullptr;
    }

   private:
    friend FakeClaimRestorer;
    mutable std::mutex mutex_;
    StoreEpoch epoch_{.id = "new", .restored = false};
    const FakeClaimRestorer* holder_ = nullptr;  // of the lease
    int failures_ = 0;
    int refused_leases_ = 0;
    std::vector<std::int32_t> restored_;
  };

  explicit FakeClaimRestorer(Store& store) : store_(store) {}

  Result<StoreEpoch> FindEpoch() override { return store_.Epoch(); }
  Result<bool> HoldLease(const StoreEpoch& epoch) override {
    const std::lock_guard lock(store_.mutex_);
    TOCSIN_CHECK_OK(Check(epoch));
    if (store_.holder_ == nullptr) store_.holder_ = this;
    if (store_.holder_ != this) ++store_.refused_leases_;
    return store_.holder_ == this;
  }
  Status ReleaseLease(const StoreEpoch& epoch) override {
    const std::lock_guard lock(store_.mutex_);
    TOCSIN_CHECK_OK(Check(epoch));
    if (store_.holder_ == this) store_.holder_ = nullptr;
    return {};
  }
  Status Restore(const StoreEpoch& epoch, std::span<const KnownAttempt> attempts) override {
    const std::lock_guard lock(store_.mutex_);
    TOCSIN_CHECK_OK(Check(epoch));
    if (store_.failures_ > 0) {
      --store_.failures_;
      return Fail(ErrorCode::kRedisUnavailable, "the store does not respond");
    }
    for (const KnownAttempt& known : attempts) store_.restored_.push_back(known.name.attempt());
    return {};
  }
  void SetCompleteSince(WallTime complete_since) override {
    const std::lock_guard lock(store_.mutex_);
    complete_since_ = complete_since;
  }
  void Adopt(const StoreEpoch& epoch, WallTime complete_since) override {
    const std::lock_guard lock(store_.mutex_);
    complete_since_ = complete_since;
    adopted_epoch_ = epoch.id;
    adopted_.push_back(complete_since);
  }
  Status MarkRecentRestored(const StoreEpoch& epoch, WallTime since) override {
    const std::lock_guard lock(store_.mutex_);
    TOCSIN_CHECK_OK(Check(epoch));
    store_.epoch_.recent_since = since;
    return {};
  }
  Status MarkRestored(const StoreEpoch& epoch) override {
    const std::lock_guard lock(store_.mutex_);
    TOCSIN_CHECK_OK(Check(epoch));
    store_.epoch_.restored = true;
    return {};
  }

  // The arguments of Adopt().
  std::vector<WallTime> Adopted() const {
    const std::lock_guard lock(store_.mutex_);
    return adopted_;
  }
  std::string AdoptedEpoch() const {
    const std::lock_guard lock(store_.mutex_);
    return adopted_epoch_;
  }
  // WallTime::max() before it is set.
  WallTime CompleteSince() const {
    const std::lock_guard lock(store_.mutex_);
    return complete_since_;
  }

 private:
  Status Check(const StoreEpoch& epoch) const {
    if (epoch.id == store_.epoch_.id) return {};
    return Fail(ErrorCode::kRedisUnavailable, "the store has another epoch");
  }

  Store& store_;
  WallTime complete_since_ = WallTime::max();
  std::string adopted_epoch_;
  std::vector<WallTime> adopted_;
};

}  // namespace tocsin
