// Runs the queries of docs/queries.md on many rows (default 5 000 000 alerts of 90 days) and prints
// their plans and times. Exit code 1 if a query scans the whole table of a month, or if an index
// returns many rows that a filter removes.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <vector>

#include "common/base/digest.h"
#include "services/audit/dead_letters/dead_letter_list.h"
#include "services/audit/projection/tables.h"
#include "services/audit/query/alert_counts.h"
#include "services/audit/query/alert_list.h"
#include "tests/services/audit/audit_database.h"

namespace tocsin::audit {
namespace {

using postgres::Statement;

constexpr std::int64_t kMaxRemoved = 2'000;  // rows; a page has 51
constexpr char kClient[] = "client-1";       // has nine of ten alerts

// Alerts are distributed evenly over the last 90 days. The last thousandth is in progress, and of
// those every tenth is overdue; one in 20 000 is an emergency, another one a call. One in 100 has a
// dead letter, open for the last hundredth of the alerts; one in 100 of those is of a call, another
// one has no route. Indexes are created after the rows, which takes a fraction of the time.
const std::vector<std::string> kFill{
    "SELECT tocsin.ensure_month((now() - make_interval(months => n))::date) FROM "
    "generate_series(0, 3) AS n",
    R"(CREATE TABLE tocsin.dropped AS
       SELECT indexrelid::regclass AS name, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') AS definition
         FROM pg_index WHERE NOT indisprimary AND
              indrelid IN ('tocsin.alerts'::regclass, 'tocsin.attempts'::regclass, 'tocsin.alert_events'::regclass))",
    "DO $$ DECLARE index record; BEGIN FOR index IN SELECT name FROM tocsin.dropped LOOP"
    " EXECUTE 'DROP INDEX ' || index.name; END LOOP; END $$",
    R"(CREATE TABLE tocsin.seed AS
       SELECT i, t, (lpad(to_hex(t / 1000), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid AS id,
              CASE WHEN i > ROWS - ROWS / 1000 THEN 2 WHEN i % 100 < 93 THEN 4 WHEN i % 100 < 98 THEN 6 ELSE 7 END AS state
         FROM (SELECT i, md5(i::text) AS h,
                      ((extract(epoch FROM now()) - 7776000 + i * 7776000.0 / ROWS) * 1000000)::bigint AS t
                 FROM generate_series(1, ROWS) AS i) AS s)",
    R"(INSERT INTO tocsin.alerts (alert_id, client_id, priority, channel, state, reason, token, token_version, last_four,
                                  region_code, labels, create_time_us, expire_time_us, update_time_us, end_time_us, outcome)
       SELECT id, 'client-' || CASE WHEN i % 10 = 0 THEN 2 ELSE 1 END, CASE WHEN i % 20000 = 7 THEN 1 ELSE 3 END,
              CASE WHEN i % 20000 = 11 THEN 2 ELSE 1 END, state,
              CASE WHEN state = 6 THEN 'TWILIO_API_ERROR' ELSE '' END, sha256((i % 100000)::text::bytea), 1, '0123', 'CA',
              CASE WHEN i % 5 = 0 THEN jsonb_build_object('campaign', 'c' || i / 5 % 1000) ELSE '{}' END, t,
              CASE WHEN state = 2 AND i % 10 <> 1 THEN t + 86400000000 ELSE t + 60000000 END, t + 2000000,
              CASE WHEN state > 3 THEN t + 2000000 END, CASE WHEN state > 3 THEN state END
         FROM tocsin.seed)",
    R"(INSERT INTO tocsin.attempts (alert_id, step, attempt, status, provider_sid, start_time_us, update_time_us)
       SELECT id, 1, 1, 8, 'SM' || md5(i::text), t, t FROM tocsin.seed)",
    R"(INSERT INTO tocsin.alert_events (alert_id, event_id, kind, step, attempt, event_time_us, status, reason, provider_code,
                                        error_class, provider_sid, sender_id, segment_count, next_attempt, last, note,
                                        acknowledgement_method, actor_id, cancel_outcome, webhook_kind, provider_status,
                                        answered_by, duration_seconds, currency_code)
       SELECT id, md5('e' || i)::uuid, 1, 1, 1, t, CASE WHEN i % 1000 = 0 THEN 3 ELSE 8 END, '', 0, 0, 'SM' || md5(i::text),
              'main', 1, 0, false, '', 0, '', 0, 0, '', 0, 0, ''
         FROM tocsin.seed)",
    R"(INSERT INTO tocsin.dead_letters (alert_id, step, attempt, client_id, channel, reason, provider_code, create_time_us,
                                        topic, partition, record_offset, traceparent, work, state)
       SELECT id, 1, 1, 'client-1', CASE WHEN i % 10000 = 99 THEN 2 ELSE 1 END,
              CASE WHEN i % 10000 = 199 THEN 'NO_ROUTE' ELSE 'TWILIO_API_ERROR' END, 30003, t, 'tocsin.sms.dead', 0, i, '', '',
              CASE WHEN i > ROWS - ROWS / 100 THEN 1 ELSE 2 + i / 100 % 2 END
         FROM tocsin.seed WHERE i % 100 = 99)",
    "DO $$ DECLARE index record; BEGIN FOR index IN SELECT definition FROM tocsin.dropped LOOP"
    " EXECUTE index.definition; END LOOP; END $$",
    "ANALYZE tocsin.alerts",
    "ANALYZE tocsin.attempts",
    "ANALYZE tocsin.alert_events",
    "ANALYZE tocsin.dead_letters"};

struct Query {
  std::string name;
  Statement statement;
  bool day_range = false;  // bounded by a range of ids instead of an index of its own
};

std::vector<Query> ListQueries(const std::string& token, std::int64_t now_us, std::int64_t old_us,
                               const std::string& old_id) {
  AlertFilter all;
  all.client_id = kClient;
  const auto with = [&](const std::function<void(AlertFilter&)>& change) {
    AlertFilter filter = all;
    change(filter);
    return SelectAlerts(filter);
  };
  constexpr std::int64_t kDay = 86'400'000'000;
  return {
      {"newest", SelectAlerts(all)},
      {"a later page", with([&](AlertFilter& filter) {
         filter.after = {{old_us, old_id}};
       })},
      {"in progress", with([](AlertFilter& filter) {
         filter.states = {1, 2, 3};
       })},
      {"overdue", with([&](AlertFilter& filter) {
         filter.states = {1, 2, 3};
         filter.expire_time.max = now_us;
       })},
      {"overdue, a rare priority", with([&](AlertFilter& filter) {
         filter.states = {1, 2, 3};
         filter.priorities = {1};
         filter.expire_time.max = now_us;
       })},
      {"expire time within an hour of a past day", with([&](AlertFilter& filter) {
         filter.expire_time = {now_us - 30 * kDay, now_us - 30 * kDay + kDay / 24};
         filter.create_time = {now_us - 30 * kDay - kDay / 24, now_us - 30 * kDay + kDay / 24};
       })},
      {"failed", with([](AlertFilter& filter) { filter.states = {6}; })},
      {"in progress or failed", with([](AlertFilter& filter) {
         filter.states = {1, 2, 3, 6};
       })},
      {"in progress or expired: few", with([](AlertFilter& filter) {
         filter.states = {1, 2, 3, 8};
       })},
      {"a rare priority", with([](AlertFilter& filter) { filter.priorities = {1}; })},
      {"a rare channel", with([](AlertFilter& filter) { filter.channel = 2; })},
      {"a frequent priority", with([](AlertFilter& filter) { filter.priorities = {3}; })},
      {"a rare priority on one channel", with([](AlertFilter& filter) {
         filter.priorities = {1, 2};
         filter.channel = 1;
       })},
      {"expired: none", with([](AlertFilter& filter) { filter.states = {8}; })},
      {"one recipient", with([&](AlertFilter& filter) { filter.token = token; })},
      {"a label", with([](AlertFilter& filter) { filter.labels_json = R"({"campaign":"c17"})"; })},
      {"one day", with([&](AlertFilter& filter) {
         filter.create_time = {now_us - 30 * kDay, now_us - 29 * kDay};
       })}};
}

std::vector<Query> OtherQueries(const std::string& id, const std::string& sid,
                                std::int64_t now_us) {
  const CountStatements counts = MakeCountStatements(FromUnixMicros(now_us));
  const std::string of_alerts = " WHERE alert_id = ANY ($1::uuid[])";
  const std::vector<postgres::Value> ids{'{' + id + '}'};
  DeadLetterFilter dead_letters;
  dead_letters.page_size = 50;
  dead_letters.states = {1};
  DeadLetterFilter closed = dead_letters;
  closed.states = {2, 3};
  DeadLetterFilter of_channel = closed;
  of_channel.channel = 2;
  DeadLetterFilter of_reason = closed;
  of_reason.reason = "NO_ROUTE";
  DeadLetterFilter of_both = of_channel;
  of_both.reason = "TWILIO_API_ERROR";
  return {{"an alert", {SelectFrom(kAlerts) + of_alerts, ids}},
          {"its attempts", {SelectFrom(kAttempts) + of_alerts, ids}},
          {"its events", {SelectFrom(kAlertEvents) + of_alerts, ids}},
          {"the attempt of a SID",
           {"SELECT alert_id FROM tocsin.attempts WHERE provider_sid = $1", {sid}}},
          {"count: overdue", counts.overdue},
          {"count: alerts of the last day by state", counts.states, true},
          {"count: alerts without acceptance", counts.unaccepted},
          {"count: attempts in doubt", counts.in_doubt},
          {"count: open dead letters", counts.dead_letters},
          {"open dead letters", SelectDeadLetters(dead_letters)},
          {"closed dead letters", SelectDeadLetters(closed)},
          {"closed dead letters of a rare channel", SelectDeadLetters(of_channel)},
          {"closed dead letters with a rare reason", SelectDeadLetters(of_reason)},
          {"closed dead letters of a channel with a reason", SelectDeadLetters(of_both)}};
}

// The output of EXPLAIN, and its last figure.
struct Plan {
  std::string text;
  std::string milliseconds;
};

Result<Plan> Explain(postgres::Session& session, const Statement& statement) {
  Plan plan;
  const Status explained = session.Run([&](postgres::Transaction& transaction) -> Status {
    TOCSIN_TRY(const postgres::Rows rows,
               transaction.Query("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + statement.sql,
                                 statement.parameters));
    plan = {};
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::string line(rows.Text(i, 0));
      plan.text += "    " + line + '\n';
      if (constexpr std::string_view kTime = "Execution Time: "; line.starts_with(kTime))
        plan.milliseconds = line.substr(kTime.size());
    }
    return {};
  });
  TOCSIN_CHECK_OK(explained);
  return plan;
}

// A sequential scan of a month's partition, which grows.
bool ScansATable(const std::string& plan) {
  for (const std::string_view table : {"alerts_20", "attempts_20", "alert_events_20"})
    if (plan.find("Seq Scan on " + std::string(table)) != std::string::npos) return true;
  return false;
}

// The most rows that one step of the plan read and removed; for a step of several loops the mean.
std::int64_t RemovedRows(const std::string& plan) {
  constexpr std::string_view kRemoved = "Rows Removed by Filter: ";
  std::int64_t most = 0;
  for (size_t at = plan.find(kRemoved); at != std::string::npos; at = plan.find(kRemoved, at + 1))
    most = std::max<std::int64_t>(most, std::stoll(plan.substr(at + kRemoved.size(), 20)));
  return most;
}

// Runs the query twice, because the first run reads from the disk, and prints the second plan.
bool Show(postgres::Session& session, const Query& query) {
  const auto first = Explain(session, query.statement);
  const auto second = first ? Explain(session, query.statement) : first;
  if (!second) {
    fmt::print("{}: {}\n", query.name, second.error().message);
    return false;
  }
  const bool scans = ScansATable(second->text);
  const bool removes = !query.day_range && RemovedRows(second->text) > kMaxRemoved;
  fmt::print("{}: {}, second run {}{}{}\n{}", query.name, first->milliseconds, second->milliseconds,
             scans ? ": SCANS A TABLE" : "", removes ? ": REMOVES MANY ROWS" : "", second->text);
  return !scans && !removes;
}

int Run(const std::string& rows) {
  postgres::Options database = AuditDatabase();
  database.statement_timeout = std::chrono::minutes(30);
  for (std::string sql : kFill) {
    for (size_t at = sql.find("ROWS"); at != std::string::npos; at = sql.find("ROWS", at))
      sql.replace(at, 4, rows);
    QueryValue(database, sql);
  }
  const std::string one = rows + " / 3";
  const std::string id = QueryValue(database, "SELECT id FROM tocsin.seed WHERE i = " + one);
  const std::string sid = QueryValue(database, "SELECT 'SM' || md5((" + one + ")::text)");
  const std::int64_t old_us =
      std::stoll(QueryValue(database, "SELECT t FROM tocsin.seed WHERE i = " + one));
  const std::int64_t now_us =
      std::stoll(QueryValue(database, "SELECT (extract(epoch FROM now()) * 1000000)::bigint"));
  postgres::Session session(database);
  const std::string token = Sha256("777");
  bool passed = true;
  for (const auto& queries :
       {ListQueries(token, now_us, old_us, id), OtherQueries(id, sid, now_us)})
    for (const Query& query : queries) passed = Show(session, query) && passed;
  return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace tocsin::audit

int main(int argc, char** argv) { return tocsin::audit::Run(argc > 1 ? argv[1] : "5000000"); }
