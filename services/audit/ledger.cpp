#include "services/audit/ledger.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "common/base/uuid.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Transaction;

// An id holds the instant of its acceptance, or the begin of that day (UTC).
constexpr std::chrono::hours kIdLag{25};

std::string Lower(std::string name, std::string_view prefix) {
  name.erase(0, prefix.size());
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::string NameOf(v1::AlertState state) { return Lower(AlertState_Name(state), "ALERT_STATE_"); }
std::string NameOf(v1::Channel channel) { return Lower(Channel_Name(channel), "CHANNEL_"); }

std::string FirstIdAt(WallTime time) {
  return FirstUuidAt(std::chrono::floor<std::chrono::milliseconds>(time));
}

void Keep(std::optional<std::int64_t> micros, std::optional<WallTime>& oldest) {
  if (!micros) return;
  const WallTime time = FromUnixMicros(*micros);
  oldest = std::min(oldest.value_or(time), time);
}

Status CountStates(Transaction& transaction, const LedgerQuestions& ask, LedgerCount& count) {
  TOCSIN_TRY(const Rows states, transaction.Query(ask.states.sql, ask.states.parameters));
  for (size_t i = 0; i < states.size(); ++i) {
    const auto state = static_cast<int>(states.Integer(i, 0));
    count.difference += states.Integer(i, 2);
    if (state > v1::AlertState_MIN && state <= v1::AlertState_MAX)
      count.alerts[NameOf(static_cast<v1::AlertState>(state))] = states.Integer(i, 1);
    else
      count.difference += states.Integer(i, 1);
  }
  TOCSIN_TRY(const Rows unaccepted,
             transaction.Query(ask.unaccepted.sql, ask.unaccepted.parameters));
  count.difference += unaccepted.Integer(0, 0);
  return {};
}

}  // namespace

std::vector<std::string> LedgerStates() {
  std::vector<std::string> names;
  for (int state = v1::AlertState_MIN + 1; state <= v1::AlertState_MAX; ++state)
    names.push_back(NameOf(static_cast<v1::AlertState>(state)));
  return names;
}

std::vector<std::string> LedgerChannels() {
  std::vector<std::string> names;
  for (int channel = v1::Channel_MIN + 1; channel <= v1::Channel_MAX; ++channel)
    names.push_back(NameOf(static_cast<v1::Channel>(channel)));
  return names;
}

LedgerQuestions AskLedger(WallTime now) {
  const std::string first = FirstIdAt(now - kLedgerSpan - kIdLag);
  const std::string first_open = FirstIdAt(now - kDoubtSpan - kIdLag);
  const auto before = [now](auto grace) { return std::to_string(ToUnixMicros(now - grace)); };
  return {.states = {R"(
        SELECT state, count(*), count(*) FILTER (WHERE (ended_us IS NULL) <> (state <= 3) OR
                                                       outcome IS DISTINCT FROM CASE WHEN state > 3 THEN state END)
          FROM tocsin.alerts WHERE alert_id >= $1::uuid AND accepted_us >= $2::bigint GROUP BY state)",
                     {first, before(kLedgerSpan)}},
          .unaccepted = {"SELECT count(*) FROM tocsin.alerts WHERE alert_id >= $1::uuid"
                         " AND accepted_us IS NULL AND updated_us < $2::bigint",
                         {first, before(kAcceptanceGrace)}},
          .overdue = {"SELECT count(*) FROM tocsin.alerts"
                      " WHERE ended_us IS NULL AND not_after_us < $1::bigint",
                      {before(kOverdueGrace)}},
          // Doubts are few, and facts never change: their index costs the other facts nothing.
          .in_doubt = {R"(
        SELECT count(*), min(since) FROM (
          SELECT min(f.time_us) AS since
            FROM tocsin.facts f JOIN tocsin.tries t USING (alert_id, step, try)
           WHERE f.status = 3 AND f.alert_id >= $1::uuid AND t.status = 3 AND t.alert_id >= $1::uuid
           GROUP BY alert_id, step, try) AS doubts)",
                       {first_open}},
          .dead = {"SELECT channel, count(*), min(dead_us) FROM tocsin.dead_letters WHERE state = 0"
                   " GROUP BY channel",
                   {}}};
}

Result<LedgerCount> CountLedger(postgres::Session& session, WallTime now) {
  const LedgerQuestions ask = AskLedger(now);
  LedgerCount count;
  const Status read = session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(CountStates(transaction, ask, count));
    TOCSIN_TRY(const Rows overdue, transaction.Query(ask.overdue.sql, ask.overdue.parameters));
    count.overdue = overdue.Integer(0, 0);
    TOCSIN_TRY(const Rows doubts, transaction.Query(ask.in_doubt.sql, ask.in_doubt.parameters));
    count.in_doubt = doubts.Integer(0, 0);
    Keep(doubts.OptionalInteger(0, 1), count.oldest_doubt);
    TOCSIN_TRY(const Rows dead, transaction.Query(ask.dead.sql, ask.dead.parameters));
    for (size_t i = 0; i < dead.size(); ++i) {
      count.dead[NameOf(static_cast<v1::Channel>(dead.Integer(i, 0)))] = dead.Integer(i, 1);
      Keep(dead.OptionalInteger(i, 2), count.oldest_dead);
    }
    return {};
  });
  TOCSIN_CHECK_OK(read);
  return count;
}

}  // namespace tocsin::audit
