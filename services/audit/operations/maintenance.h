// The periodic work beside the projection.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "common/base/error.h"
#include "services/audit/projection/projection.h"
#include "services/audit/query/alert_counts.h"

namespace tocsin::audit {

constexpr std::chrono::seconds kMatchInterval{2};  // also of retries after errors
constexpr std::chrono::seconds kCountInterval{30};
constexpr std::chrono::hours kPartitionInterval{1};

// A thread of its own: matches callbacks that were stored at the same time as their attempt,
// creates partitions, and counts alerts. Every replica does it; PostgreSQL's locks serialize them,
// and let one replica count the states.
class Maintenance {
 public:
  // `projection` and `database` are for this thread alone. `on_counts` is called with the counts
  // of each round, `on_error` with each error; they must not block.
  Maintenance(std::unique_ptr<Projection> projection, postgres::Options database,
              std::function<void(const AlertCounts&)> on_counts,
              std::function<void(const Error&)> on_error);

 private:
  std::jthread thread_;  // its destructor waits for the statement in progress
};

}  // namespace tocsin::audit
