#include "services/audit/query/alert_counts.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "services/audit/query/id_range.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Transaction;

std::string WithoutPrefix(std::string name, std::string_view prefix) {
  name.erase(0, prefix.size());
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::string NameOf(v1::AlertState state) {
  return WithoutPrefix(AlertState_Name(state), "ALERT_STATE_");
}
std::string NameOf(v1::Channel channel) { return WithoutPrefix(Channel_Name(channel), "CHANNEL_"); }

void KeepOldest(std::optional<std::int64_t> micros, std::optional<WallTime>& oldest) {
  if (!micros) return;
  const WallTime time = FromUnixMicros(*micros);
  oldest = std::min(oldest.value_or(time), time);
}

Status CountStates(Transaction& transaction, const CountStatements& statements,
                   AlertCounts& counts) {
  TOCSIN_TRY(const Rows states,
             transaction.Query(statements.states.sql, statements.states.parameters));
  for (size_t i = 0; i < states.size(); ++i) {
    const auto state = static_cast<int>(states.Integer(i, 0));
    counts.mismatches += states.Integer(i, 2);
    if (state > v1::AlertState_MIN && state <= v1::AlertState_MAX)
      counts.alerts[NameOf(static_cast<v1::AlertState>(state))] = states.Integer(i, 1);
    else
      counts.mismatches += states.Integer(i, 1);
  }
  TOCSIN_TRY(const Rows unaccepted,
             transaction.Query(statements.unaccepted.sql, statements.unaccepted.parameters));
  counts.mismatches += unaccepted.Integer(0, 0);
  return {};
}

Status CountInDoubt(Transaction& transaction, const CountStatements& statements,
                    AlertCounts& counts) {
  TOCSIN_TRY(const Rows in_doubt,
             transaction.Query(statements.in_doubt.sql, statements.in_doubt.parameters));
  counts.attempts_in_doubt = in_doubt.Integer(0, 0);
  KeepOldest(in_doubt.OptionalInteger(0, 1), counts.oldest_in_doubt);
  return {};
}

Status CountDeadLetters(Transaction& transaction, const CountStatements& statements,
                        AlertCounts& counts) {
  TOCSIN_TRY(const Rows rows,
             transaction.Query(statements.dead_letters.sql, statements.dead_letters.parameters));
  for (size_t i = 0; i < rows.size(); ++i) {
    counts.dead_letters[NameOf(static_cast<v1::Channel>(rows.Integer(i, 0)))] = rows.Integer(i, 1);
    KeepOldest(rows.OptionalInteger(i, 2), counts.oldest_dead_letter);
  }
  return {};
}

}  // namespace

std::vector<std::string> AlertStateNames() {
  std::vector<std::string> names;
  for (int state = v1::AlertState_MIN + 1; state <= v1::AlertState_MAX; ++state)
    names.push_back(NameOf(static_cast<v1::AlertState>(state)));
  return names;
}

std::vector<std::string> ChannelNames() {
  std::vector<std::string> names;
  for (int channel = v1::Channel_MIN + 1; channel <= v1::Channel_MAX; ++channel)
    names.push_back(NameOf(static_cast<v1::Channel>(channel)));
  return names;
}

CountStatements MakeCountStatements(WallTime now) {
  const std::string first = LowestIdSince(now - kCountedAge);
  const auto before = [now](auto age) { return std::to_string(ToUnixMicros(now - age)); };
  return {.states = {R"(
        SELECT state, count(*), count(*) FILTER (WHERE (end_time_us IS NULL) <> (state <= 3) OR
                                                       outcome IS DISTINCT FROM CASE WHEN state > 3 THEN state END)
          FROM tocsin.alerts WHERE alert_id >= $1::uuid AND create_time_us >= $2::bigint GROUP BY state)",
                     {first, before(kCountedAge)}},
          .unaccepted = {"SELECT count(*) FROM tocsin.alerts WHERE alert_id >= $1::uuid"
                         " AND create_time_us IS NULL AND update_time_us < $2::bigint",
                         {first, before(kAcceptanceGrace)}},
          .overdue = {"SELECT count(*) FROM tocsin.alerts"
                      " WHERE end_time_us IS NULL AND expire_time_us < $1::bigint",
                      {before(kOverdueGrace)}},
          // Events in doubt are few and have an index of their own.
          .in_doubt = {R"(
        SELECT count(*), min(since) FROM (
          SELECT min(e.event_time_us) AS since
            FROM tocsin.alert_events e JOIN tocsin.attempts a USING (alert_id, step, attempt)
           WHERE e.status = 3 AND e.alert_id >= $1::uuid AND a.status = 3 AND a.alert_id >= $1::uuid
           GROUP BY alert_id, step, attempt) AS in_doubt)",
                       {LowestIdSince(now - kInDoubtAge)}},
          .dead_letters = {"SELECT channel, count(*), min(create_time_us) FROM tocsin.dead_letters"
                           " WHERE state = 1 GROUP BY channel",
                           {}}};
}

Result<AlertCounts> CountAlerts(postgres::Session& session, WallTime now) {
  const CountStatements statements = MakeCountStatements(now);
  AlertCounts counts;
  const Status read = session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(CountStates(transaction, statements, counts));
    TOCSIN_TRY(const Rows overdue,
               transaction.Query(statements.overdue.sql, statements.overdue.parameters));
    counts.overdue = overdue.Integer(0, 0);
    TOCSIN_CHECK_OK(CountInDoubt(transaction, statements, counts));
    return CountDeadLetters(transaction, statements, counts);
  });
  TOCSIN_CHECK_OK(read);
  return counts;
}

}  // namespace tocsin::audit
