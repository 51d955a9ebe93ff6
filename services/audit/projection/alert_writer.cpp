#include "services/audit/projection/alert_writer.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "common/domain/alert/alert_projection.h"
#include "services/audit/projection/bulk_write.h"
#include "services/audit/projection/plan_terms.h"
#include "services/audit/projection/record_decoder.h"
#include "services/audit/projection/submission.h"
#include "services/audit/projection/tables.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Transaction;

using TermsById = std::map<std::string, AlertTerms>;

std::optional<std::int64_t> MicrosOf(const std::optional<WallTime>& time) {
  if (!time) return std::nullopt;
  return ToUnixMicros(*time);
}

AlertRow MakeAlertRow(const std::string& id, const AlertTerms& terms,
                      const ProjectedAlert& projected) {
  return {.alert_id = id,
          .terms = terms,
          .state = projected.state,
          .reason = projected.reason,
          .update_time_us =
              std::max(MicrosOf(projected.updated).value_or(0), terms.create_time_us.value_or(0)),
          .end_time_us = MicrosOf(projected.ended),
          .outcome = projected.ended ? projected.state : v1::ALERT_STATE_UNSPECIFIED};
}

AttemptRow MakeAttemptRow(const std::string& id, const AttemptProjection& attempt) {
  return {.alert_id = id,
          .step = attempt.step(),
          .attempt = attempt.attempt(),
          .status = attempt.status(),
          .reason = attempt.reason(),
          .provider_code = attempt.provider_code(),
          .provider_sid = attempt.provider_sid(),
          .sender_id = attempt.sender_id(),
          .segment_count = attempt.segment_count(),
          .start_time_us =
              WasSubmitted(attempt) ? MicrosOf(attempt.started()) : std::optional<std::int64_t>(),
          .update_time_us = ToUnixMicros(attempt.updated()),
          .price_micros = attempt.price_micros(),
          .currency_code = attempt.currency(),
          .was_in_doubt = attempt.was_in_doubt()};
}

// The end of a statement that begins with SelectFrom(table): the rows of the alerts $1. The planner
// would examine each element of an array that it sees, which takes longer than the statement; the
// subquery hides them. With the bounds it leaves out all partitions but a few. A join with unnest()
// may be planned as a scan that compares each row with each id.
constexpr char kOfAlerts[] =
    " WHERE alert_id = ANY ((SELECT $1::uuid[])::uuid[])"
    " AND alert_id BETWEEN $2::uuid AND $3::uuid";

std::vector<postgres::Value> ParametersOf(const AlertIds& ids) {
  return {postgres::TextArray(ids), *ids.begin(), *ids.rbegin()};
}

AlertIds IdsIn(const Rows& rows) {
  AlertIds ids;
  for (size_t i = 0; i < rows.size(); ++i) ids.emplace_hint(ids.end(), rows.Text(i, 0));
  return ids;
}

void AddStoredEvents(const Rows& rows, AlertEventsByAlert& events) {
  for (size_t i = 0; i < rows.size(); ++i) {
    AlertEventRow row = ReadRow(kAlertEvents, rows, i);
    events[std::move(row.alert_id)].push_back(std::move(row.event));
  }
}

// Writes the alerts of one batch.
class AlertWriter {
 public:
  AlertWriter(Transaction& transaction, const NewEvents& added, const TermsById& terms,
              const std::vector<AlertEventRow>& batch);

  // Those of `ids` that are stored. Waits for no lock.
  Result<AlertIds> FindStored(const AlertIds& ids);
  // Inserts those of `ids` that are not stored; returns the others.
  Result<AlertIds> Insert(const AlertIds& ids);
  // Updates stored alerts.
  Status Update(const AlertIds& ids);

  AlertIds written() && { return std::move(written_); }

 private:
  // What happens to the alerts, by id.
  using Projected = std::map<std::string, ProjectedAlert>;

  // Locks the alerts. Returns the terms of those that change.
  Result<TermsById> LockChanged(const AlertIds& ids);
  Result<AlertEventsByAlert> ReadEvents(const AlertIds& ids);
  std::vector<AttemptRow> AttemptsOf(const Projected& alerts, const AlertIds& ids) const;

  Transaction& transaction_;
  const NewEvents& added_;
  const TermsById& terms_;
  AlertEventsByAlert batch_;
  AlertIds written_;
};

AlertWriter::AlertWriter(Transaction& transaction, const NewEvents& added, const TermsById& terms,
                         const std::vector<AlertEventRow>& batch)
    : transaction_(transaction), added_(added), terms_(terms) {
  for (const auto& [id, event] : batch) batch_[id].push_back(event);
}

ProjectedAlert Project(const std::string& id, const AlertTerms& terms,
                       const AlertEventsByAlert& events) {
  const auto found = events.find(id);
  return ProjectAlert(
      terms.accepted(),
      found == events.end() ? std::span<const AlertEvent>() : std::span(found->second),
      TermsOf(ParsePlan(terms.plan_json)));
}

Result<AlertIds> AlertWriter::FindStored(const AlertIds& ids) {
  TOCSIN_TRY(const Rows rows, transaction_.Query(std::string("SELECT alert_id FROM tocsin.alerts") +
                                                     kOfAlerts + " ORDER BY alert_id",
                                                 ParametersOf(ids)));
  return IdsIn(rows);
}

Result<AlertIds> AlertWriter::Insert(const AlertIds& ids) {
  Projected projected;
  std::vector<AlertRow> rows;
  for (const std::string& id : ids) {
    const auto stated = terms_.find(id);
    const AlertTerms terms = stated == terms_.end() ? AlertTerms() : stated->second;
    const auto entry = projected.emplace(id, Project(id, terms, batch_)).first;
    rows.push_back(MakeAlertRow(id, terms, entry->second));
  }
  TOCSIN_TRY(const std::optional<Rows> some, audit::Insert(transaction_, kAlerts, rows));
  AlertIds inserted = some ? IdsIn(*some) : ids;
  AlertIds stored;
  std::ranges::set_difference(ids, inserted, std::inserter(stored, stored.end()));
  TOCSIN_CHECK_OK(audit::Insert(transaction_, kAttempts, AttemptsOf(projected, inserted)));
  written_.merge(inserted);
  return stored;
}

Result<TermsById> AlertWriter::LockChanged(const AlertIds& ids) {
  TOCSIN_TRY(const Rows locked, transaction_.Query(SelectFrom(kAlerts) + kOfAlerts +
                                                       " ORDER BY alert_id FOR UPDATE OF alerts",
                                                   ParametersOf(ids)));
  TermsById changed;
  for (size_t i = 0; i < locked.size(); ++i) {
    AlertRow row = ReadRow(kAlerts, locked, i);
    bool differs = added_.alerts.contains(row.alert_id);
    if (const auto stated = terms_.find(row.alert_id); stated != terms_.end())
      differs = Merge(stated->second, row.terms) || differs;
    if (differs) changed.emplace(std::move(row.alert_id), std::move(row.terms));
  }
  return changed;
}

// If all events of the batch are new, they are known, and PostgreSQL returns the others only. An
// event that was stored before may differ from its repetition: a repeated callback has a later
// time.
Result<AlertEventsByAlert> AlertWriter::ReadEvents(const AlertIds& ids) {
  AlertEventsByAlert events;
  std::vector<std::string> known;
  for (const std::string& id : ids) {
    const auto found = batch_.find(id);
    if (!added_.all || found == batch_.end()) continue;
    for (const AlertEvent& event : found->second) known.push_back(event.id);
    events.insert(events.end(), *found);
  }
  std::vector<postgres::Value> parameters = ParametersOf(ids);
  parameters.push_back(postgres::TextArray(known));
  TOCSIN_TRY(const Rows rows,
             transaction_.Query(SelectFrom(kAlertEvents) + kOfAlerts +
                                    " AND event_id NOT IN (SELECT unnest($4::uuid[]))",
                                parameters));
  AddStoredEvents(rows, events);
  return events;
}

Status AlertWriter::Update(const AlertIds& ids) {
  if (ids.empty()) return {};
  TOCSIN_TRY(const TermsById changed, LockChanged(ids));
  if (changed.empty()) return {};
  AlertIds changed_ids;
  for (const auto& [id, terms] : changed) changed_ids.insert(changed_ids.end(), id);
  // Read after the rows are locked: the events of earlier transactions are committed by then.
  TOCSIN_TRY(const AlertEventsByAlert events, ReadEvents(changed_ids));
  Projected projected;
  std::vector<AlertRow> rows;
  for (const auto& [id, terms] : changed) {
    const auto entry = projected.emplace(id, Project(id, terms, events)).first;
    rows.push_back(MakeAlertRow(id, terms, entry->second));
  }
  // An upsert finds each row by its key; an UPDATE ... FROM could be planned as a scan of the
  // partition.
  // The default of a revision is the time. The other one is for clocks that went back.
  TOCSIN_CHECK_OK(Upsert(transaction_, kAlerts, rows,
                         "revision = greatest(alerts.revision + 1, excluded.revision)"));
  TOCSIN_CHECK_OK(Upsert(transaction_, kAttempts, AttemptsOf(projected, changed_ids)));
  written_.merge(changed_ids);
  return {};
}

std::vector<AttemptRow> AlertWriter::AttemptsOf(const Projected& alerts,
                                                const AlertIds& ids) const {
  std::vector<AttemptRow> rows;
  for (const std::string& id : ids)
    for (const AttemptProjection& attempt : alerts.at(id).attempts)
      rows.push_back(MakeAttemptRow(id, attempt));
  return rows;
}

}  // namespace

Result<NewEvents> InsertAlertEvents(Transaction& transaction,
                                    const std::vector<AlertEventRow>& events) {
  TOCSIN_TRY(const std::optional<Rows> some, Insert(transaction, kAlertEvents, events));
  NewEvents inserted;
  inserted.count = some ? some->size() : events.size();
  inserted.all = inserted.count == events.size();
  if (some)
    inserted.alerts = IdsIn(*some);
  else
    for (const AlertEventRow& row : events) inserted.alerts.insert(row.alert_id);
  return inserted;
}

Result<AlertEventsByAlert> ReadAlertEvents(Transaction& transaction, const AlertIds& alerts) {
  TOCSIN_TRY(const Rows rows, transaction.Query(SelectFrom(kAlertEvents) +
                                                    " WHERE alert_id = ANY ($1::uuid[])"
                                                    " ORDER BY alert_id, event_time_us, event_id",
                                                {postgres::TextArray(alerts)}));
  AlertEventsByAlert events;
  AddStoredEvents(rows, events);
  return events;
}

// Two transactions with the same alerts cannot block each other: each first inserts, in the order
// of the ids, and waits only for transactions that insert too or do more; then it locks stored
// alerts, in the same order, and waits only for transactions that do the same.
Result<AlertIds> WriteAlerts(Transaction& transaction, const NewEvents& added,
                             const TermsById& terms, const std::vector<AlertEventRow>& events) {
  AlertIds all = added.alerts;
  for (const auto& [id, stated] : terms) all.insert(id);
  if (all.empty()) return AlertIds();
  AlertWriter writer(transaction, added, terms, events);
  TOCSIN_TRY(AlertIds stored, writer.FindStored(all));
  AlertIds missing;
  std::ranges::set_difference(all, stored, std::inserter(missing, missing.end()));
  // Some may have been stored by another transaction in the meantime, with its events.
  TOCSIN_TRY(AlertIds others, writer.Insert(missing));
  stored.merge(others);
  TOCSIN_CHECK_OK(writer.Update(stored));
  return std::move(writer).written();
}

}  // namespace tocsin::audit
