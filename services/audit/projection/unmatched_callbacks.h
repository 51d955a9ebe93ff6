// Table unmatched_callbacks: status callbacks that name no attempt. They are matched by SID. The
// functions that match return the events of the matched callbacks and delete their rows.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/postgres/session.h"
#include "services/audit/projection/record_decoder.h"
#include "services/audit/projection/rows.h"

namespace tocsin::audit {

// How long a callback waits for its attempt. Twilio's callbacks are projected within 30 days.
constexpr std::chrono::hours kUnmatchedLifetime{24 * 30};
// Two transactions that store an event and its callback at the same time do not see each other:
// MatchRecent() looks at callbacks up to this age again.
constexpr std::chrono::minutes kRecentlyStored{5};
constexpr size_t kMatchLimit = 1'000;  // callbacks matched by one call of MatchRecent()

// Stores the status callbacks among `webhooks` that name no attempt. Other webhooks without an
// attempt, such as inbound messages, concern none.
Status InsertUnmatched(postgres::Transaction& transaction, const WebhooksByKey& webhooks);

// Callbacks with a SID of one of `events`.
Result<std::vector<AlertEventRow>> MatchByEvents(postgres::Transaction& transaction,
                                                 const std::vector<AlertEventRow>& events);

// Callbacks with one of `sids`, if an attempt of an alert accepted in the 60 days before
// `receive_time` has it.
Result<std::vector<AlertEventRow>> MatchBySid(postgres::Transaction& transaction,
                                              const std::vector<std::string>& sids,
                                              WallTime receive_time);

// Callbacks stored within kRecentlyStored, at most kMatchLimit. Skips rows that are locked.
Result<std::vector<AlertEventRow>> MatchRecent(postgres::Transaction& transaction, WallTime now);

// Deletes callbacks older than kUnmatchedLifetime.
Status DeleteOldUnmatched(postgres::Transaction& transaction, WallTime now);

}  // namespace tocsin::audit
