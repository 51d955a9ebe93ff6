// Counts alerts by state, and what must not happen: alerts whose rows contradict each other, alerts
// that stay open past their expire time, attempts in doubt, open dead letters.
#pragma once

#include <chrono>
#include <cstdint>
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

struct AlertCounts {
  std::map<std::string, std::int64_t> alerts;  // by state: "delivered", "pending", ...
  std::int64_t overdue = 0;                    // of any age
  // Alerts in an unknown state, with an end that contradicts their state, or with events but
  // without an acceptance.
  std::int64_t mismatches = 0;
  std::int64_t attempts_in_doubt = 0;
  std::optional<WallTime> oldest_in_doubt;           // when that attempt became in doubt
  std::map<std::string, std::int64_t> dead_letters;  // open ones by channel: "sms", ...
  std::optional<WallTime> oldest_dead_letter;
};

// The keys that AlertCounts::alerts and ::dead_letters can have.
std::vector<std::string> AlertStateNames();
std::vector<std::string> ChannelNames();

// Blocks for a few statements.
Result<AlertCounts> CountAlerts(postgres::Session& session, WallTime now);

// The statements of CountAlerts(), also for EXPLAIN.
struct CountStatements {
  postgres::Statement states;        // state, alerts, mismatches
  postgres::Statement unaccepted;    // count
  postgres::Statement overdue;       // count
  postgres::Statement in_doubt;      // count, microseconds of the oldest
  postgres::Statement dead_letters;  // channel, count, microseconds of the oldest
};
CountStatements MakeCountStatements(WallTime now);

}  // namespace tocsin::audit
