// What has to be done beside the fold, from time to time.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "common/base/error.h"
#include "services/audit/fold_store.h"
#include "services/audit/ledger.h"

namespace tocsin::audit {

constexpr std::chrono::seconds kSweepEvery{2};
constexpr std::chrono::seconds kLedgerEvery{30};
constexpr std::chrono::hours kMonthsEvery{1};  // at once again after a failure, with the next sweep

// A thread of its own: joins callbacks to tries that became known beside them, makes the months'
// partitions, counts what the ledger must show, and gives unused memory back. Every replica does
// it; PostgreSQL's locks keep them apart.
class Upkeep {
 public:
  // `store` and `database` are for this thread alone. `counted` hears of each count, `failed` of
  // each error; they must not block.
  Upkeep(std::unique_ptr<FoldStore> store, postgres::Options database,
         std::function<void(const LedgerCount&)> counted, std::function<void(const Error&)> failed);

 private:
  std::jthread thread_;  // stops and joins when destroyed, after the statement under way
};

}  // namespace tocsin::audit
