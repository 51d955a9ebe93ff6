// Counts alerts by state, and what must not happen: alerts whose rows contradict each other, alerts
// that stay open past their expire time, attempts in doubt, open dead letters.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/postgres/session.h"

namespace tocsin::audit {

// Alerts accepted within this time are counted: the cost must not grow with history.
constexpr std::chrono::hours kCountedAge{24};
// Alerts accepted within this time are searched for attempts in doubt: a scheduled alert may be in
// doubt at its expire time, 7 days after its acceptance, and is counted until it is resolved.
constexpr std::chrono::hours kInDoubtAge{10 * 24};
// Delivery reports arrive up to an hour after the expire time.
constexpr std::chrono::hours kOverdueGrace{1};
// An event may be projected before the acceptance of its alert, but not this much earlier.
constexpr std::chrono::minutes kAcceptanceGrace{10};

// Alerts of one day.
struct StateCounts {
  std::map<std::string, std::int64_t> alerts;  // by state: "delivered", "pending", ...
  // Alerts in an unknown state, with an end that contradicts their state, or with events but
  // without an acceptance.
  std::int64_t mismatches = 0;
};

struct InDoubtCounts {
  std::int64_t attempts = 0;
  std::optional<WallTime> oldest;  // when that attempt became in doubt
};

// Open dead letters.
struct DeadLetterCounts {
  std::map<std::string, std::int64_t> by_channel;  // "sms", ...
  std::optional<WallTime> oldest;                  // when it was given up
};

// A count that failed is missing.
struct AlertCounts {
  std::optional<std::int64_t> overdue;  // of any age
  std::optional<DeadLetterCounts> dead_letters;
  std::optional<InDoubtCounts> in_doubt;
  std::optional<StateCounts> states;  // zero while another session counts them
};

// The keys that StateCounts::alerts and DeadLetterCounts::by_channel can have.
std::vector<std::string> AlertStateNames();
std::vector<std::string> ChannelNames();

// Makes each count in a transaction of its own, and calls `on_error` for those that fail. The
// states come last: their cost grows with the number of alerts. One session counts them, of all
// that call this, until it ends. Blocks for a few statements.
AlertCounts CountAlerts(postgres::Session& session, WallTime now,
                        const std::function<void(const Error&)>& on_error);

// The statements of CountAlerts(), also for EXPLAIN.
struct CountStatements {
  postgres::Statement overdue;       // count
  postgres::Statement dead_letters;  // channel, count, microseconds of the oldest
  postgres::Statement in_doubt;      // count, microseconds of the oldest
  postgres::Statement unaccepted;    // count
  postgres::Statement states;        // state, alerts, mismatches
};
CountStatements MakeCountStatements(WallTime now);

}  // namespace tocsin::audit
