#include "services/audit/projection/alert_writer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "common/domain/alert/alert_projection.h"
#include "services/audit/projection/record_decoder.h"
#include "services/audit/projection/staging.h"
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

// Writes the alerts of one batch.
class AlertWriter {
 public:
  AlertWriter(Transaction& transaction, const AlertIds& with_new_events, const TermsById& terms)
      : transaction_(transaction), with_new_events_(with_new_events), terms_(terms) {}

  // Updates those of `ids` that are stored; returns the others.
  Result<AlertIds> Update(const AlertIds& ids);
  // Inserts those of `ids` that are not stored; returns the others.
  Result<AlertIds> Insert(const AlertIds& ids, const std::vector<AlertEventRow>& batch);

  AlertIds written() && { return std::move(written_); }

 private:
  // What happens to the alerts, by id.
  using Projected = std::map<std::string, ProjectedAlert>;

  Status WriteAttempts(const Projected& alerts, const AlertIds& ids);

  Transaction& transaction_;
  const AlertIds& with_new_events_;
  const TermsById& terms_;
  AlertIds written_;
};

ProjectedAlert Project(const std::string& id, const AlertTerms& terms,
                       const AlertEventsByAlert& events) {
  const auto found = events.find(id);
  return ProjectAlert(terms.accepted(), found == events.end() ? std::span<const AlertEvent>()
                                                              : std::span(found->second));
}

Result<AlertIds> AlertWriter::Update(const AlertIds& ids) {
  AlertIds missing = ids;
  if (ids.empty()) return missing;
  TOCSIN_TRY(
      const Rows locked,
      transaction_.Query(
          SelectFrom(kAlerts) + " WHERE alert_id = ANY ($1::uuid[]) ORDER BY alert_id FOR UPDATE",
          {IdArray(ids)}));
  TermsById changed;
  for (size_t i = 0; i < locked.size(); ++i) {
    AlertRow row = ReadRow(kAlerts, locked, i);
    missing.erase(row.alert_id);
    bool differs = with_new_events_.contains(row.alert_id);
    if (const auto stated = terms_.find(row.alert_id); stated != terms_.end())
      differs = Merge(stated->second, row.terms) || differs;
    if (differs) changed.emplace(std::move(row.alert_id), std::move(row.terms));
  }
  if (changed.empty()) return missing;
  AlertIds changed_ids;
  for (const auto& [id, terms] : changed) changed_ids.insert(changed_ids.end(), id);
  // Read after the rows are locked: the events of earlier transactions are committed by then.
  TOCSIN_TRY(const AlertEventsByAlert events, ReadAlertEvents(transaction_, changed_ids));
  Projected projected;
  std::vector<AlertRow> rows;
  for (const auto& [id, terms] : changed) {
    const auto entry = projected.emplace(id, Project(id, terms, events)).first;
    rows.push_back(MakeAlertRow(id, terms, entry->second));
  }
  // An upsert finds each row by its key; an UPDATE ... FROM could be planned as a scan of the
  // partition.
  TOCSIN_CHECK_OK(Upsert(transaction_, kAlerts, rows, "revision = alerts.revision + 1"));
  TOCSIN_CHECK_OK(WriteAttempts(projected, changed_ids));
  written_.merge(changed_ids);
  return missing;
}

Result<AlertIds> AlertWriter::Insert(const AlertIds& ids, const std::vector<AlertEventRow>& batch) {
  AlertIds stored = ids;
  if (ids.empty()) return stored;
  AlertEventsByAlert events;
  for (const AlertEventRow& row : batch)
    if (ids.contains(row.alert_id)) events[row.alert_id].push_back(row.event);
  Projected projected;
  std::vector<AlertRow> rows;
  for (const std::string& id : ids) {
    const auto stated = terms_.find(id);
    const AlertTerms terms = stated == terms_.end() ? AlertTerms() : stated->second;
    const auto entry = projected.emplace(id, Project(id, terms, events)).first;
    rows.push_back(MakeAlertRow(id, terms, entry->second));
  }
  TOCSIN_TRY(const Rows added, audit::Insert(transaction_, kAlerts, rows));
  AlertIds inserted;
  for (size_t i = 0; i < added.size(); ++i) {
    const std::string id(added.Text(i, 0));
    stored.erase(id);
    inserted.insert(id);
  }
  TOCSIN_CHECK_OK(WriteAttempts(projected, inserted));
  written_.merge(inserted);
  return stored;
}

Status AlertWriter::WriteAttempts(const Projected& alerts, const AlertIds& ids) {
  std::vector<AttemptRow> rows;
  for (const std::string& id : ids)
    for (const AttemptProjection& attempt : alerts.at(id).attempts)
      rows.push_back(MakeAttemptRow(id, attempt));
  if (rows.empty()) return {};
  return Upsert(transaction_, kAttempts, rows);
}

}  // namespace

postgres::Value IdArray(const AlertIds& ids) {
  postgres::RowArrays column(1, ids.size());
  for (const std::string& id : ids) column.Add(id);
  return std::move(std::move(column).Parameters().front());
}

Result<NewEvents> InsertAlertEvents(Transaction& transaction,
                                    const std::vector<AlertEventRow>& events) {
  NewEvents inserted;
  if (events.empty()) return inserted;
  TOCSIN_TRY(const Rows added, Insert(transaction, kAlertEvents, events));
  for (size_t i = 0; i < added.size(); ++i) inserted.alerts.emplace(added.Text(i, 0));
  inserted.count = added.size();
  return inserted;
}

Result<AlertEventsByAlert> ReadAlertEvents(Transaction& transaction, const AlertIds& alerts) {
  TOCSIN_TRY(const Rows rows, transaction.Query(SelectFrom(kAlertEvents) +
                                                    " WHERE alert_id = ANY ($1::uuid[])"
                                                    " ORDER BY alert_id, event_time_us, event_id",
                                                {IdArray(alerts)}));
  AlertEventsByAlert events;
  for (size_t i = 0; i < rows.size(); ++i) {
    AlertEventRow row = ReadRow(kAlertEvents, rows, i);
    events[std::move(row.alert_id)].push_back(std::move(row.event));
  }
  return events;
}

Result<AlertIds> WriteAlerts(Transaction& transaction, const AlertIds& with_new_events,
                             const TermsById& terms, const std::vector<AlertEventRow>& events) {
  AlertIds all = with_new_events;
  for (const auto& [id, stated] : terms) all.insert(id);
  if (all.empty()) return AlertIds();
  AlertWriter writer(transaction, with_new_events, terms);
  TOCSIN_TRY(const AlertIds missing, writer.Update(all));
  TOCSIN_TRY(const AlertIds stored, writer.Insert(missing, events));
  // Stored by another process since Update() missed them, with its events.
  TOCSIN_CHECK_OK(writer.Update(stored));
  return std::move(writer).written();
}

}  // namespace tocsin::audit
