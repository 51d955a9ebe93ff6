#include "services/audit/alert_tables.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "services/audit/stage.h"

namespace tocsin::audit {
namespace {

using postgres::CopyRows;
using postgres::RowArrays;
using postgres::Rows;
using postgres::Transaction;

constexpr StagedTable kFacts{
    "facts",
    "alert_id, event_id, kind, step, try, time_us, status, reason, provider_code, provider_sid, "
    "sender, segments, next_try, last, note, price_micros, currency",
    "ON CONFLICT DO NOTHING RETURNING alert_id"};

constexpr char kReadFacts[] = R"(
  SELECT alert_id, event_id, kind, step, try, time_us, status, reason, provider_code, provider_sid, sender,
         segments, next_try, last, note, price_micros, currency
    FROM tocsin.facts WHERE alert_id = ANY ($1::uuid[]) ORDER BY alert_id, time_us, event_id)";

constexpr char kAlertColumns[] =
    "alert_id, client_id, class, channel, token, token_version, last_four, country, labels, "
    "later_steps, accepted_us, not_after_us, send_at_us, state, reason, updated_us, ended_us, "
    "outcome";

constexpr StagedTable kNewAlerts{"alerts", kAlertColumns,
                                 "ON CONFLICT DO NOTHING RETURNING alert_id"};

// An upsert finds each row by its key; an UPDATE ... FROM could be planned as a scan of the whole
// month.
constexpr StagedTable kKnownAlerts{"alerts", kAlertColumns, R"(
  ON CONFLICT (alert_id) DO UPDATE SET
    client_id = excluded.client_id, class = excluded.class, channel = excluded.channel,
    token = excluded.token, token_version = excluded.token_version, last_four = excluded.last_four,
    country = excluded.country, labels = excluded.labels, later_steps = excluded.later_steps,
    accepted_us = excluded.accepted_us, not_after_us = excluded.not_after_us,
    send_at_us = excluded.send_at_us, state = excluded.state, reason = excluded.reason,
    updated_us = excluded.updated_us, ended_us = excluded.ended_us, outcome = excluded.outcome, revision = alerts.revision + 1)"};

constexpr char kLockAlerts[] = R"(
  SELECT alert_id, client_id, class, channel, encode(token, 'hex'), token_version, last_four, country,
         labels, later_steps, accepted_us, not_after_us, send_at_us
    FROM tocsin.alerts WHERE alert_id = ANY ($1::uuid[]) ORDER BY alert_id FOR UPDATE)";

constexpr StagedTable kTries{
    "tries",
    "alert_id, step, try, status, reason, provider_code, provider_sid, sender, segments, "
    "started_us, updated_us, price_micros, currency, doubted",
    R"(
  ON CONFLICT (alert_id, step, try) DO UPDATE SET
    status = excluded.status, reason = excluded.reason, provider_code = excluded.provider_code,
    provider_sid = excluded.provider_sid, sender = excluded.sender, segments = excluded.segments,
    started_us = excluded.started_us, updated_us = excluded.updated_us,
    price_micros = excluded.price_micros, currency = excluded.currency, doubted = excluded.doubted)"};

CopyRows& AddOptional(CopyRows& rows, std::optional<std::int64_t> value) {
  return value ? rows.Add(*value) : rows.AddNull();
}

CopyRows& AddUnlessZero(CopyRows& rows, std::int64_t value) {
  return value == 0 ? rows.AddNull() : rows.Add(value);
}

void AddAlert(const std::string& id, const AlertRow& row, const FoldedAlert& folded,
              CopyRows& rows) {
  rows.Add(id).AddUnlessEmpty(row.client_id);
  AddUnlessZero(rows, row.alert_class);
  AddUnlessZero(rows, row.channel);
  const bool known = !row.recipient.token().empty();
  known ? rows.AddBytes(row.recipient.token()) : rows.AddNull();
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
  AddUnlessZero(rows, folded.ended ? folded.state : 0);
  rows.EndRow();
}

void AddTry(const std::string& id, const TryFold& fold, CopyRows& rows) {
  rows.Add(id).Add(fold.step()).Add(fold.attempt()).Add(static_cast<std::int64_t>(fold.status()));
  rows.Add(fold.reason()).Add(fold.provider_code()).AddUnlessEmpty(fold.provider_sid());
  rows.Add(fold.sender()).Add(fold.segments());
  AddOptional(rows, fold.started() ? std::optional(ToUnixMicros(*fold.started())) : std::nullopt);
  rows.Add(ToUnixMicros(fold.updated()));
  AddOptional(rows, fold.price_micros());
  rows.AddUnlessEmpty(fold.currency()).AddFlag(fold.doubted()).EndRow();
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

// One batch on its way into alerts and tries.
class Writing {
 public:
  Writing(Transaction& transaction, const AlertIds& with_new_facts,
          const std::map<std::string, AlertRow>& said, AlertIds& written)
      : transaction_(transaction),
        with_new_facts_(with_new_facts),
        said_(said),
        written_(written) {}

  // Those of `ids` that are there. Gives the others.
  Result<AlertIds> Update(const AlertIds& ids);
  // Those of `ids` that are not there. Gives the others.
  Result<AlertIds> Insert(const AlertIds& ids, const std::vector<AlertFact>& facts);

 private:
  Status WriteTries(const std::map<std::string, FoldedAlert>& folds, const AlertIds& of);

  Transaction& transaction_;
  const AlertIds& with_new_facts_;
  const std::map<std::string, AlertRow>& said_;
  AlertIds& written_;
};

FoldedAlert FoldRow(const AlertRow& row, const FactsByAlert& facts, const std::string& id) {
  const auto known = facts.find(id);
  return FoldAlert({.accepted = row.accepted, .later_steps = row.later_steps},
                   known == facts.end() ? std::span<const Fact>() : std::span(known->second));
}

Result<AlertIds> Writing::Update(const AlertIds& ids) {
  AlertIds missing = ids;
  if (ids.empty()) return missing;
  TOCSIN_TRY(const Rows locked, transaction_.Query(kLockAlerts, {IdArray(ids)}));
  AlertIds changed;
  std::map<std::string, AlertRow> rows;
  for (size_t i = 0; i < locked.size(); ++i) {
    const std::string id(locked.Text(i, 0));
    missing.erase(id);
    AlertRow row = StoredAlert(locked, i);
    bool differs = with_new_facts_.contains(id);
    if (const auto more = said_.find(id); more != said_.end())
      differs = Merge(more->second, row) || differs;
    if (differs) rows.emplace(id, std::move(row));
  }
  for (const auto& [id, row] : rows) changed.insert(changed.end(), id);
  if (changed.empty()) return missing;
  // Read after the locks are held: whoever held them before has committed its facts.
  TOCSIN_TRY(const FactsByAlert facts, ReadFacts(transaction_, changed));
  std::map<std::string, FoldedAlert> folds;
  for (const auto& [id, row] : rows) folds.emplace(id, FoldRow(row, facts, id));
  TOCSIN_CHECK_OK(Merge(transaction_, kKnownAlerts, [&](CopyRows& to) {
    for (const auto& [id, row] : rows) AddAlert(id, row, folds.at(id), to);
  }));
  TOCSIN_CHECK_OK(WriteTries(folds, changed));
  written_.merge(changed);
  return missing;
}

Result<AlertIds> Writing::Insert(const AlertIds& ids, const std::vector<AlertFact>& batch) {
  AlertIds there = ids;
  if (ids.empty()) return there;
  FactsByAlert facts;
  for (const AlertFact& fact : batch)
    if (ids.contains(fact.alert_id)) facts[fact.alert_id].push_back(fact.fact);
  std::map<std::string, FoldedAlert> folds;
  TOCSIN_TRY(const Rows added, Merge(transaction_, kNewAlerts, [&](CopyRows& rows) {
               for (const std::string& id : ids) {
                 const auto known = said_.find(id);
                 const AlertRow row = known == said_.end() ? AlertRow() : known->second;
                 const auto fold = folds.emplace(id, FoldRow(row, facts, id)).first;
                 AddAlert(id, row, fold->second, rows);
               }
             }));
  AlertIds ours;
  for (size_t i = 0; i < added.size(); ++i) {
    const std::string id(added.Text(i, 0));
    there.erase(id);
    ours.insert(id);
  }
  TOCSIN_CHECK_OK(WriteTries(folds, ours));
  written_.merge(ours);
  return there;
}

Status Writing::WriteTries(const std::map<std::string, FoldedAlert>& folds, const AlertIds& of) {
  const bool any = std::any_of(of.begin(), of.end(),
                               [&](const std::string& id) { return !folds.at(id).tries.empty(); });
  if (!any) return {};
  TOCSIN_CHECK_OK(Merge(transaction_, kTries, [&](CopyRows& rows) {
    for (const std::string& id : of)
      for (const TryFold& fold : folds.at(id).tries) AddTry(id, fold, rows);
  }));
  return {};
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
  TOCSIN_TRY(
      const Rows added, Merge(transaction, kFacts, [&](CopyRows& rows) {
        for (const auto& [alert_id, fact] : facts) {
          rows.Add(alert_id).Add(fact.id).Add(static_cast<std::int64_t>(fact.kind));
          rows.Add(fact.step).Add(fact.attempt).Add(ToUnixMicros(fact.time));
          rows.Add(static_cast<std::int64_t>(fact.status)).Add(fact.reason).Add(fact.provider_code);
          rows.Add(fact.provider_sid).Add(fact.sender).Add(fact.segments).Add(fact.next_try);
          rows.AddFlag(fact.last).Add(fact.note);
          AddOptional(rows, fact.price_micros).Add(fact.currency).EndRow();
        }
      }));
  for (size_t i = 0; i < added.size(); ++i) inserted.alerts.emplace(added.Text(i, 0));
  inserted.count = added.size();
  return inserted;
}

Result<FactsByAlert> ReadFacts(Transaction& transaction, const AlertIds& alerts) {
  TOCSIN_TRY(const Rows rows, transaction.Query(kReadFacts, {IdArray(alerts)}));
  FactsByAlert facts;
  for (size_t i = 0; i < rows.size(); ++i)
    facts[std::string(rows.Text(i, 0))].push_back(StoredFact(rows, i));
  return facts;
}

Result<AlertIds> WriteAlerts(Transaction& transaction, const AlertIds& with_new_facts,
                             const std::map<std::string, AlertRow>& said,
                             const std::vector<AlertFact>& facts) {
  AlertIds all = with_new_facts;
  for (const auto& [id, row] : said) all.insert(id);
  AlertIds written;
  if (all.empty()) return written;
  Writing writing{transaction, with_new_facts, said, written};
  TOCSIN_TRY(const AlertIds missing, writing.Update(all));
  TOCSIN_TRY(const AlertIds beaten, writing.Insert(missing, facts));
  // Another process stored them since they were missed: now they are there, with its facts.
  TOCSIN_CHECK_OK(writing.Update(beaten));
  return written;
}

}  // namespace tocsin::audit
