// The invariant of the alerts: accepted = delivered + … + under way, and nothing stays open past
// its deadline.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/postgres/session.h"

namespace tocsin::audit {

// How long back alerts are counted: older ones have their ends, and the count must not grow with
// history.
constexpr std::chrono::hours kLedgerSpan{24};
// How long back alerts are looked at for doubts: one that waited for its time may be in doubt at
// its horizon, 7 days behind its acceptance, and must be seen until somebody settled it.
constexpr std::chrono::hours kDoubtSpan{10 * 24};
// Receipts come up to an hour behind the horizon.
constexpr std::chrono::hours kOverdueGrace{1};
// An event may be folded before the acceptance of its alert, but not for this long.
constexpr std::chrono::minutes kAcceptanceGrace{10};

struct LedgerCount {
  std::map<std::string, std::int64_t> alerts;  // by name of state: "delivered", "pending", …
  std::int64_t overdue = 0;                    // of whatever age
  // Alerts without a state of the list, with an end that does not fit their state, or that are told
  // of and were never accepted.
  std::int64_t difference = 0;
  std::int64_t in_doubt = 0;                 // tries
  std::optional<WallTime> oldest_doubt;      // when the one began that has been in doubt longest
  std::map<std::string, std::int64_t> dead;  // letters that nobody closed, by channel: "sms", …
  std::optional<WallTime> oldest_dead;       // when the first of them was given up
};

std::vector<std::string> LedgerStates();
std::vector<std::string> LedgerChannels();

// Blocks for a few statements.
Result<LedgerCount> CountLedger(postgres::Session& session, WallTime now);

// What it asks, for EXPLAIN.
struct LedgerQuestions {
  postgres::Statement states;      // state, alerts, those of them whose end does not fit
  postgres::Statement unaccepted;  // number
  postgres::Statement overdue;     // number
  postgres::Statement in_doubt;    // number, microseconds of the oldest
  postgres::Statement dead;        // channel, number, microseconds of the oldest
};
LedgerQuestions AskLedger(WallTime now);

}  // namespace tocsin::audit
