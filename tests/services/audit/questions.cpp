// Asks PostgreSQL the questions of docs/questions.md among many rows (default 5 000 000 alerts of
// 90 days) and prints their plans and times. Exit status 1 when an answer needs a whole table, or
// an index leads it past many rows that are none of it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <vector>

#include "common/base/digest.h"
#include "services/audit/alert_list.h"
#include "services/audit/alert_reader.h"
#include "services/audit/ledger.h"
#include "tests/services/audit/audit_database.h"

namespace tocsin::audit {
namespace {

using postgres::Statement;

constexpr std::int64_t kMostInVain = 2'000;  // rows; a page has 51
constexpr char kClient[] = "client-1";       // nine of ten alerts are its

// Alerts come evenly over the 90 days before now; the last thousandth is under way, and
// one in 20 000 is an emergency, another a call. Indexes are made after the rows, which takes a
// fraction of the time.
const std::vector<std::string> kFill{
    "SELECT tocsin.ensure_month((now() - make_interval(months => n))::date) FROM "
    "generate_series(0, 3) AS n",
    R"(CREATE TABLE tocsin.later AS
       SELECT indexrelid::regclass AS name, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') AS made
         FROM pg_index WHERE NOT indisprimary AND
              indrelid IN ('tocsin.alerts'::regclass, 'tocsin.tries'::regclass, 'tocsin.facts'::regclass))",
    "DO $$ DECLARE index record; BEGIN FOR index IN SELECT name FROM tocsin.later LOOP"
    " EXECUTE 'DROP INDEX ' || index.name; END LOOP; END $$",
    R"(CREATE TABLE tocsin.seed AS
       SELECT i, t, (lpad(to_hex(t / 1000), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid AS id,
              CASE WHEN i > ROWS - ROWS / 1000 THEN 2 WHEN i % 100 < 93 THEN 4 WHEN i % 100 < 98 THEN 6 ELSE 7 END AS state
         FROM (SELECT i, md5(i::text) AS h,
                      ((extract(epoch FROM now()) - 7776000 + i * 7776000.0 / ROWS) * 1000000)::bigint AS t
                 FROM generate_series(1, ROWS) AS i) AS s)",
    R"(INSERT INTO tocsin.alerts (alert_id, client_id, class, channel, state, reason, token, token_version, last_four,
                                  country, labels, accepted_us, not_after_us, updated_us, ended_us, outcome)
       SELECT id, 'client-' || CASE WHEN i % 10 = 0 THEN 2 ELSE 1 END, CASE WHEN i % 20000 = 7 THEN 1 ELSE 3 END,
              CASE WHEN i % 20000 = 11 THEN 2 ELSE 1 END, state,
              CASE WHEN state = 6 THEN 'TWILIO_API_ERROR' ELSE '' END, sha256((i % 100000)::text::bytea), 1, '0123', 'CA',
              CASE WHEN i % 5 = 0 THEN jsonb_build_object('campaign', 'c' || i / 5 % 1000) ELSE '{}' END, t,
              t + 3600000000, t + 2000000, CASE WHEN state > 3 THEN t + 2000000 END, CASE WHEN state > 3 THEN state END
         FROM tocsin.seed)",
    R"(INSERT INTO tocsin.tries (alert_id, step, try, status, provider_sid, started_us, updated_us)
       SELECT id, 1, 1, 8, 'SM' || md5(i::text), t, t FROM tocsin.seed)",
    R"(INSERT INTO tocsin.facts (alert_id, event_id, kind, step, try, time_us, status, reason, provider_code, provider_sid,
                                 sender, segments, next_try, last, note, currency)
       SELECT id, md5('e' || i)::uuid, 1, 1, 1, t, CASE WHEN i % 1000 = 0 THEN 3 ELSE 8 END, '', 0, 'SM' || md5(i::text), 'main', 1, 0, false, '', ''
         FROM tocsin.seed)",
    R"(INSERT INTO tocsin.dead_letters (alert_id, step, try, client_id, channel, reason, explanation, dead_us, topic,
                                        partition, record_offset, work)
       SELECT id, 1, 1, 'client-1', 1, 'TWILIO_API_ERROR', '', t, 'tocsin.sms.dead', 0, i, '' FROM tocsin.seed
        WHERE i % 100 = 99)",
    "DO $$ DECLARE index record; BEGIN FOR index IN SELECT made FROM tocsin.later LOOP"
    " EXECUTE index.made; END LOOP; END $$",
    "ANALYZE tocsin.alerts",
    "ANALYZE tocsin.tries",
    "ANALYZE tocsin.facts",
    "ANALYZE tocsin.dead_letters"};

struct Question {
  std::string name;
  Statement statement;
  bool of_a_day = false;  // the range of ids bounds what it looks through, not an index of its own
};

std::vector<Question> Lists(const std::string& token, std::int64_t now_us, std::int64_t old_us,
                            const std::string& old_id) {
  AlertQuery all;
  all.client_id = kClient;
  const auto with = [&](const std::function<void(AlertQuery&)>& change) {
    AlertQuery query = all;
    change(query);
    return SelectAlerts(query);
  };
  constexpr std::int64_t kDay = 86'400'000'000;
  return {{"newest", SelectAlerts(all)},
          {"page far behind", with([&](AlertQuery& query) {
             query.after = {{old_us, old_id}};
           })},
          {"under way", with([](AlertQuery& query) {
             query.states = {1, 2, 3};
           })},
          {"failed", with([](AlertQuery& query) { query.states = {6}; })},
          {"under way or failed", with([](AlertQuery& query) {
             query.states = {1, 2, 3, 6};
           })},
          {"under way or expired: few", with([](AlertQuery& query) {
             query.states = {1, 2, 3, 8};
           })},
          {"of a rare class", with([](AlertQuery& query) { query.classes = {1}; })},
          {"of a rare channel", with([](AlertQuery& query) { query.channel = 2; })},
          {"of a class that nearly all have", with([](AlertQuery& query) { query.classes = {3}; })},
          {"a rare class among those of one channel", with([](AlertQuery& query) {
             query.classes = {1, 2};
             query.channel = 1;
           })},
          {"expired: none", with([](AlertQuery& query) { query.states = {8}; })},
          {"of one person", with([&](AlertQuery& query) { query.token = token; })},
          {"with a label",
           with([](AlertQuery& query) { query.labels_json = R"({"campaign":"c17"})"; })},
          {"of one day", with([&](AlertQuery& query) {
             query.accepted_from = now_us - 30 * kDay;
             query.accepted_until = now_us - 29 * kDay;
           })}};
}

std::vector<Question> Others(const std::string& id, const std::string& sid, std::int64_t now_us) {
  const LedgerQuestions ledger = AskLedger(FromUnixMicros(now_us));
  return {
      {"one alert", {SelectOfAlerts() + " WHERE alert_id = ANY ($1::uuid[])", {'{' + id + '}'}}},
      {"its tries",
       {"SELECT * FROM tocsin.tries WHERE alert_id = ANY ($1::uuid[])", {'{' + id + '}'}}},
      {"its facts",
       {"SELECT * FROM tocsin.facts WHERE alert_id = ANY ($1::uuid[])", {'{' + id + '}'}}},
      {"whose SID", {"SELECT alert_id FROM tocsin.tries WHERE provider_sid = $1", {sid}}},
      {"past its deadline", ledger.overdue},
      {"how the last day's alerts stand", ledger.states, true},
      {"told of and never accepted", ledger.unaccepted, true},
      {"in doubt", ledger.in_doubt},
      {"dead letters by channel", ledger.dead},
      {"dead letters",
       {"SELECT * FROM tocsin.dead_letters WHERE state = 0 ORDER BY dead_us DESC, alert_id DESC, "
        "step DESC, try DESC"
        " LIMIT 51",
        {}}}};
}

// What EXPLAIN says, and its last figure: the time of the statement.
struct Answer {
  std::string plan;
  std::string milliseconds;
};

Result<Answer> Explain(postgres::Session& session, const Statement& statement) {
  Answer answer;
  const Status asked = session.Run([&](postgres::Transaction& transaction) -> Status {
    TOCSIN_TRY(const postgres::Rows rows,
               transaction.Query("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + statement.sql,
                                 statement.parameters));
    answer = {};
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::string line(rows.Text(i, 0));
      answer.plan += "    " + line + '\n';
      if (constexpr std::string_view kTime = "Execution Time: "; line.starts_with(kTime))
        answer.milliseconds = line.substr(kTime.size());
    }
    return {};
  });
  TOCSIN_CHECK_OK(asked);
  return answer;
}

// The partitions of a month: what grows.
bool ReadsAWholeTable(const std::string& plan) {
  for (const std::string_view table : {"alerts_20", "tries_20", "facts_20"})
    if (plan.find("Seq Scan on " + std::string(table)) != std::string::npos) return true;
  return false;
}

// The most that one step of a plan threw away: what an index led to in vain. A part of many loops
// gives its mean.
std::int64_t WalkedInVain(const std::string& plan) {
  constexpr std::string_view kRemoved = "Rows Removed by Filter: ";
  std::int64_t most = 0;
  for (size_t at = plan.find(kRemoved); at != std::string::npos; at = plan.find(kRemoved, at + 1))
    most = std::max<std::int64_t>(most, std::stoll(plan.substr(at + kRemoved.size(), 20)));
  return most;
}

// Asks twice, for the first time has to read from the disk, and prints the second plan.
bool Show(postgres::Session& session, const Question& question) {
  const auto first = Explain(session, question.statement);
  const auto again = first ? Explain(session, question.statement) : first;
  if (!again) {
    fmt::print("{}: {}\n", question.name, again.error().message);
    return false;
  }
  const bool whole = ReadsAWholeTable(again->plan);
  const bool in_vain = !question.of_a_day && WalkedInVain(again->plan) > kMostInVain;
  fmt::print("{}: {}, again {}{}{}\n{}", question.name, first->milliseconds, again->milliseconds,
             whole ? ": READS A WHOLE TABLE" : "", in_vain ? ": WALKS IN VAIN" : "", again->plan);
  return !whole && !in_vain;
}

int Run(const std::string& rows) {
  postgres::Options database = AuditDatabase();
  database.statement_limit = std::chrono::minutes(30);
  for (std::string sql : kFill) {
    for (size_t at = sql.find("ROWS"); at != std::string::npos; at = sql.find("ROWS", at))
      sql.replace(at, 4, rows);
    Ask(database, sql);
  }
  const std::string one = rows + " / 3";
  const std::string id = Ask(database, "SELECT id FROM tocsin.seed WHERE i = " + one);
  const std::string sid = Ask(database, "SELECT 'SM' || md5((" + one + ")::text)");
  const std::int64_t old_us =
      std::stoll(Ask(database, "SELECT t FROM tocsin.seed WHERE i = " + one));
  const std::int64_t now_us =
      std::stoll(Ask(database, "SELECT (extract(epoch FROM now()) * 1000000)::bigint"));
  postgres::Session session(database);
  const std::string token = Sha256("777");
  bool well = true;
  for (const auto& questions : {Lists(token, now_us, old_us, id), Others(id, sid, now_us)})
    for (const Question& question : questions) well = Show(session, question) && well;
  return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace tocsin::audit

int main(int argc, char** argv) { return tocsin::audit::Run(argc > 1 ? argv[1] : "5000000"); }
