#include "services/audit/alert_tables.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace tocsin::audit {
namespace {

using postgres::RowArrays;
using postgres::Rows;
using postgres::Transaction;

constexpr char kInsertFacts[] = R"(
  INSERT INTO tocsin.facts (alert_id, event_id, kind, step, try, time_us, status, reason, provider_code,
                            provider_sid, sender, segments, next_try, last, note, price_micros, currency)
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::integer[], $5::integer[], $6::bigint[],
                       $7::smallint[], $8::text[], $9::integer[], $10::text[], $11::text[], $12::integer[],
                       $13::integer[], $14::boolean[], $15::text[], $16::bigint[], $17::text[])
  ON CONFLICT DO NOTHING RETURNING alert_id)";
constexpr size_t kFactColumns = 17;

constexpr char kReadFacts[] = R"(
  SELECT alert_id, event_id, kind, step, try, time_us, status, reason, provider_code, provider_sid, sender,
         segments, next_try, last, note, price_micros, currency
    FROM tocsin.facts WHERE alert_id = ANY ($1::uuid[]) ORDER BY alert_id, time_us, event_id)";

#define TOCSIN_ALERT_COLUMNS                                                                       \
  "INSERT INTO tocsin.alerts (alert_id, client_id, class, channel, token, token_version, "         \
  "last_four,"                                                                                     \
  " country, labels, later_steps, accepted_us, not_after_us, send_at_us, state, reason, "          \
  "updated_us,"                                                                                    \
  " ended_us) "                                                                                    \
  "SELECT a, b, c, d, decode(e, 'hex'), f, g, h, i::jsonb, j::smallint[], k, l, m, n, o, p, q "    \
  "FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::smallint[], $5::text[], $6::integer[]," \
  " $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[]," \
  " $14::smallint[], $15::text[], $16::bigint[], $17::bigint[])"                                   \
  " AS s (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q) "
constexpr size_t kAlertColumns = 17;

constexpr char kInsertAlerts[] = TOCSIN_ALERT_COLUMNS "ON CONFLICT DO NOTHING RETURNING alert_id";

// An upsert finds each row by its key; an UPDATE ... FROM could be planned as a scan of the whole
// month.
constexpr char kWriteAlerts[] = TOCSIN_ALERT_COLUMNS R"(
  ON CONFLICT (alert_id) DO UPDATE SET
    client_id = excluded.client_id, class = excluded.class, channel = excluded.channel,
    token = excluded.token, token_version = excluded.token_version, last_four = excluded.last_four,
    country = excluded.country, labels = excluded.labels, later_steps = excluded.later_steps,
    accepted_us = excluded.accepted_us, not_after_us = excluded.not_after_us,
    send_at_us = excluded.send_at_us, state = excluded.state, reason = excluded.reason,
    updated_us = excluded.updated_us, ended_us = excluded.ended_us, revision = alerts.revision + 1)";
#undef TOCSIN_ALERT_COLUMNS

constexpr char kLockAlerts[] = R"(
  SELECT alert_id, client_id, class, channel, encode(token, 'hex'), token_version, last_four, country,
         labels, later_steps, accepted_us, not_after_us, send_at_us
    FROM tocsin.alerts WHERE alert_id = ANY ($1::uuid[]) ORDER BY alert_id FOR UPDATE)";

constexpr char kWriteTries[] = R"(
  INSERT INTO tocsin.tries (alert_id, step, try, status, reason, provider_code, provider_sid, sender, segments,
                            started_us, updated_us, price_micros, currency, doubted)
  SELECT * FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::smallint[], $5::text[], $6::integer[],
                       $7::text[], $8::text[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[],
                       $13::text[], $14::boolean[])
  ON CONFLICT (alert_id, step, try) DO UPDATE SET
    status = excluded.status, reason = excluded.reason, provider_code = excluded.provider_code,
    provider_sid = excluded.provider_sid, sender = excluded.sender, segments = excluded.segments,
    started_us = excluded.started_us, updated_us = excluded.updated_us,
    price_micros = excluded.price_micros, currency = excluded.currency, doubted = excluded.doubted)";
constexpr size_t kTryColumns = 14;

RowArrays& AddOptional(RowArrays& rows, std::optional<std::int64_t> value) {
  return value ? rows.Add(*value) : rows.AddNull();
}

RowArrays& AddUnlessZero(RowArrays& rows, std::int64_t value) {
  return value == 0 ? rows.AddNull() : rows.Add(value);
}

void AddAlert(const std::string& id, const AlertRow& row, const FoldedAlert& folded,
              RowArrays& rows) {
  rows.Add(id).AddUnlessEmpty(row.client_id);
  AddUnlessZero(rows, row.alert_class);
  AddUnlessZero(rows, row.channel);
  const bool known = !row.recipient.token().empty();
  known ? rows.AddHex(row.recipient.token()) : rows.AddNull();
  AddUnlessZero(rows, row.recipient.token_version());
  rows.AddUnlessEmpty(row.recipient.last_four()).AddUnlessEmpty(row.recipient.country());
  rows.Add(row.labels_json);
  std::string steps = "{";
  for (const std::uint32_t until : row.later_steps)
    steps += (steps.size() > 1 ? "," : "") + std::to_string(until);
  rows.Add(steps + "}");
  AddOptional(rows, row.accepted ? std::optional(row.accepted_us) : std::nullopt);
  AddUnlessZero(rows, row.not_after_us);
  AddUnlessZero(rows, row.send_at_us);
  rows.Add(static_cast<std::int64_t>(folded.state)).Add(folded.reason);
  const std::int64_t updated = folded.updated ? ToUnixMicros(*folded.updated) : 0;
  rows.Add(std::max(updated, row.accepted_us));
  AddOptional(rows, folded.ended ? std::optional(ToUnixMicros(*folded.ended)) : std::nullopt);
}

void AddTry(const std::string& id, const TryFold& fold, RowArrays& rows) {
  rows.Add(id).Add(fold.step()).Add(fold.attempt()).Add(static_cast<std::int64_t>(fold.status()));
  rows.Add(fold.reason()).Add(fold.provider_code()).AddUnlessEmpty(fold.provider_sid());
  rows.Add(fold.sender()).Add(fold.segments());
  AddOptional(rows, fold.started() ? std::optional(ToUnixMicros(*fold.started())) : std::nullopt);
  rows.Add(ToUnixMicros(fold.updated()));
  AddOptional(rows, fold.price_micros());
  rows.AddUnlessEmpty(fold.currency()).AddFlag(fold.doubted());
}

// "{1,2}" as PostgreSQL prints an array of numbers.
std::vector<std::uint32_t> Numbers(std::string_view text) {
  std::vector<std::uint32_t> numbers;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == ',') continue;
    if (i == 1 || text[i - 1] == ',') numbers.push_back(0);
    numbers.back() = numbers.back() * 10 + static_cast<std::uint32_t>(text[i] - '0');
  }
  return numbers;
}

AlertRow StoredAlert(const Rows& rows, size_t i) {
  AlertRow row;
  row.client_id = rows.Text(i, 1);
  row.alert_class = static_cast<std::int16_t>(rows.Integer(i, 2));
  row.channel = static_cast<std::int16_t>(rows.Integer(i, 3));
  row.recipient.set_token(rows.Bytes(i, 4));
  row.recipient.set_token_version(static_cast<std::uint32_t>(rows.Integer(i, 5)));
  row.recipient.set_last_four(std::string(rows.Text(i, 6)));
  row.recipient.set_country(std::string(rows.Text(i, 7)));
  row.labels_json = rows.Text(i, 8);
  row.later_steps = Numbers(rows.Text(i, 9));
  row.accepted = !rows.IsNull(i, 10);
  row.accepted_us = rows.Integer(i, 10);
  row.not_after_us = rows.Integer(i, 11);
  row.send_at_us = rows.Integer(i, 12);
  return row;
}

Fact StoredFact(const Rows& rows, size_t i) {
  Fact fact;
  fact.id = rows.Text(i, 1);
  fact.kind = static_cast<FactKind>(rows.Integer(i, 2));
  fact.step = static_cast<std::uint32_t>(rows.Integer(i, 3));
  fact.attempt = static_cast<std::uint32_t>(rows.Integer(i, 4));
  fact.time = FromUnixMicros(rows.Integer(i, 5));
  fact.status = static_cast<v1::TryStatus>(rows.Integer(i, 6));
  fact.reason = rows.Text(i, 7);
  fact.provider_code = static_cast<std::int32_t>(rows.Integer(i, 8));
  fact.provider_sid = rows.Text(i, 9);
  fact.sender = rows.Text(i, 10);
  fact.segments = static_cast<std::uint32_t>(rows.Integer(i, 11));
  fact.next_try = static_cast<std::uint32_t>(rows.Integer(i, 12));
  fact.last = rows.Boolean(i, 13);
  fact.note = rows.Text(i, 14);
  fact.price_micros = rows.OptionalInteger(i, 15);
  fact.currency = rows.Text(i, 16);
  return fact;
}

}  // namespace

postgres::Value IdArray(const AlertIds& ids) {
  RowArrays column(1, ids.size());
  for (const std::string& id : ids) column.Add(id);
  return std::move(std::move(column).Parameters().front());
}

Result<NewFacts> InsertFacts(Transaction& transaction, const std::vector<AlertFact>& facts) {
  NewFacts inserted;
  if (facts.empty()) return inserted;
  RowArrays rows(kFactColumns, facts.size());
  for (const auto& [alert_id, fact] : facts) {
    rows.Add(alert_id).Add(fact.id).Add(static_cast<std::int64_t>(fact.kind));
    rows.Add(fact.step).Add(fact.attempt).Add(ToUnixMicros(fact.time));
    rows.Add(static_cast<std::int64_t>(fact.status)).Add(fact.reason).Add(fact.provider_code);
    rows.Add(fact.provider_sid).Add(fact.sender).Add(fact.segments).Add(fact.next_try);
    rows.AddFlag(fact.last).Add(fact.note);
    AddOptional(rows, fact.price_micros).Add(fact.currency);
  }
  TOCSIN_TRY(const Rows added, transaction.Query(kInsertFacts, std::move(rows).Parameters()));
  for (size_t i = 0; i < added.size(); ++i) inserted.alerts.emplace(added.Text(i, 0));
  inserted.count = added.size();
  return inserted;
}

Result<AlertIds> InsertAlerts(Transaction& transaction,
                              const std::map<std::string, AlertRow>& alerts) {
  AlertIds there;
  if (alerts.empty()) return there;
  RowArrays rows(kAlertColumns, alerts.size());
  for (const auto& [id, row] : alerts) {
    AddAlert(id, row, FoldedAlert{}, rows);
    there.insert(there.end(), id);
  }
  TOCSIN_TRY(const Rows added, transaction.Query(kInsertAlerts, std::move(rows).Parameters()));
  for (size_t i = 0; i < added.size(); ++i) there.erase(std::string(added.Text(i, 0)));
  return there;
}

Result<FactsByAlert> ReadFacts(Transaction& transaction, const AlertIds& alerts) {
  TOCSIN_TRY(const Rows rows, transaction.Query(kReadFacts, {IdArray(alerts)}));
  FactsByAlert facts;
  for (size_t i = 0; i < rows.size(); ++i)
    facts[std::string(rows.Text(i, 0))].push_back(StoredFact(rows, i));
  return facts;
}

Status Refold(Transaction& transaction, const AlertIds& with_new_facts, const AlertIds& said_again,
              const std::map<std::string, AlertRow>& said) {
  AlertIds alerts = with_new_facts;
  alerts.insert(said_again.begin(), said_again.end());
  if (alerts.empty()) return {};
  TOCSIN_TRY(const Rows locked, transaction.Query(kLockAlerts, {IdArray(alerts)}));
  // Read after the locks are held: whoever held them before has committed its facts.
  TOCSIN_TRY(const FactsByAlert facts, ReadFacts(transaction, alerts));
  RowArrays alert_rows(kAlertColumns, locked.size());
  RowArrays try_rows(kTryColumns, locked.size());
  for (size_t i = 0; i < locked.size(); ++i) {
    const std::string id(locked.Text(i, 0));
    AlertRow row = StoredAlert(locked, i);
    bool changed = with_new_facts.contains(id);
    if (const auto more = said.find(id); more != said.end())
      changed = Merge(more->second, row) || changed;
    if (!changed) continue;
    const auto known = facts.find(id);
    const FoldedAlert folded =
        FoldAlert({.accepted = row.accepted, .later_steps = row.later_steps},
                  known == facts.end() ? std::span<const Fact>() : std::span(known->second));
    AddAlert(id, row, folded, alert_rows);
    for (const TryFold& fold : folded.tries) AddTry(id, fold, try_rows);
  }
  if (!alert_rows.empty())
    TOCSIN_CHECK_OK(transaction.Query(kWriteAlerts, std::move(alert_rows).Parameters()));
  if (!try_rows.empty())
    TOCSIN_CHECK_OK(transaction.Query(kWriteTries, std::move(try_rows).Parameters()));
  return {};
}

}  // namespace tocsin::audit
