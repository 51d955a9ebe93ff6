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

// Whether this connection counts the states: the first one that asks, until it is closed. With
// these keepalives PostgreSQL closes that of a host that does not respond for 30 s.
Result<bool> CountsStates(Transaction& transaction) {
  TOCSIN_TRY(const Rows rows,
             transaction.Query("SELECT pg_try_advisory_lock(hashtext('tocsin.alert_states')),"
                               " set_config('tcp_keepalives_idle', '10', false),"
                               " set_config('tcp_keepalives_interval', '5', false),"
                               " set_config('tcp_keepalives_count', '4', false)"));
  return rows.Boolean(0, 0);
}

Result<std::int64_t> CountOverdue(Transaction& transaction, const CountStatements& statements) {
  TOCSIN_TRY(const Rows rows,
             transaction.Query(statements.overdue.sql, statements.overdue.parameters));
  return rows.Integer(0, 0);
}

Result<DeadLetterCounts> CountDeadLetters(Transaction& transaction,
                                          const CountStatements& statements) {
  TOCSIN_TRY(const Rows rows,
             transaction.Query(statements.dead_letters.sql, statements.dead_letters.parameters));
  DeadLetterCounts counts;
  for (size_t i = 0; i < rows.size(); ++i) {
    counts.by_channel[NameOf(static_cast<v1::Channel>(rows.Integer(i, 0)))] = rows.Integer(i, 1);
    KeepOldest(rows.OptionalInteger(i, 2), counts.oldest);
  }
  return counts;
}

Result<InDoubtCounts> CountInDoubt(Transaction& transaction, const CountStatements& statements) {
  TOCSIN_TRY(const Rows rows,
             transaction.Query(statements.in_doubt.sql, statements.in_doubt.parameters));
  InDoubtCounts counts{.attempts = rows.Integer(0, 0), .oldest = {}};
  KeepOldest(rows.OptionalInteger(0, 1), counts.oldest);
  return counts;
}

Result<StateCounts> CountStates(Transaction& transaction, const CountStatements& statements) {
  StateCounts counts;
  TOCSIN_TRY(const bool counted_here, CountsStates(transaction));
  if (!counted_here) return counts;
  TOCSIN_TRY(const Rows unaccepted,
             transaction.Query(statements.unaccepted.sql, statements.unaccepted.parameters));
  counts.mismatches = unaccepted.Integer(0, 0);
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
  return counts;
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
  return {.overdue = {"SELECT count(*) FROM tocsin.alerts"
                      " WHERE end_time_us IS NULL AND expire_time_us < $1::bigint",
                      {before(kOverdueGrace)}},
          .dead_letters = {"SELECT channel, count(*), min(create_time_us) FROM tocsin.dead_letters"
                           " WHERE state = 1 GROUP BY channel",
                           {}},
          // Events in doubt are few and have an index of their own.
          .in_doubt = {R"(
        SELECT count(*), min(since) FROM (
          SELECT min(e.event_time_us) AS since
            FROM tocsin.alert_events e JOIN tocsin.attempts a USING (alert_id, step, attempt)
           WHERE e.status = 3 AND e.alert_id >= $1::uuid AND a.status = 3 AND a.alert_id >= $1::uuid
           GROUP BY alert_id, step, attempt) AS in_doubt)",
                       {LowestIdSince(now - kInDoubtAge)}},
          .unaccepted = {"SELECT count(*) FROM tocsin.alerts WHERE alert_id >= $1::uuid"
                         " AND create_time_us IS NULL AND update_time_us < $2::bigint",
                         {first, before(kAcceptanceGrace)}},
          .states = {R"(
        SELECT state, count(*), count(*) FILTER (WHERE (end_time_us IS NULL) <> (state <= 3) OR
                                                       outcome IS DISTINCT FROM CASE WHEN state > 3 THEN state END)
          FROM tocsin.alerts WHERE alert_id >= $1::uuid AND create_time_us >= $2::bigint GROUP BY state)",
                     {first, before(kCountedAge)}}};
}

AlertCounts CountAlerts(postgres::Session& session, WallTime now,
                        const std::function<void(const Error&)>& on_error) {
  const CountStatements statements = MakeCountStatements(now);
  const auto run = [&](auto count, auto& into) {
    const Status done = session.Run([&](Transaction& transaction) -> Status {
      TOCSIN_TRY(into, count(transaction, statements));
      return {};
    });
    if (done) return;
    into.reset();
    on_error(done.error());
  };
  AlertCounts counts;
  run(CountOverdue, counts.overdue);
  run(CountDeadLetters, counts.dead_letters);
  run(CountInDoubt, counts.in_doubt);
  run(CountStates, counts.states);
  return counts;
}

}  // namespace tocsin::audit
