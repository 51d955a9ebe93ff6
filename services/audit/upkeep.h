// What has to be done beside the fold, from time to time.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "common/base/error.h"
#include "services/audit/fold_store.h"

namespace tocsin::audit {

constexpr std::chrono::seconds kSweepEvery{2};
constexpr std::chrono::hours kMonthsEvery{1};  // at once again after a failure, with the next sweep

// A thread of its own: joins callbacks to tries that became known beside them, and makes the
// months' partitions. Every replica does it; PostgreSQL's locks keep them apart.
class Upkeep {
 public:
  // `store` is for this thread alone. `failed` hears of each error and must not block.
  Upkeep(std::unique_ptr<FoldStore> store, std::function<void(const Error&)> failed);

 private:
  std::jthread thread_;  // stops and joins when destroyed, after the statement under way
};

}  // namespace tocsin::audit
