#include "services/audit/query/alert_reader.h"

#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "common/base/time.h"
#include "services/audit/projection/plan_terms.h"
#include "services/audit/projection/tables.h"
#include "services/audit/query/explanation.h"
#include "services/audit/query/plan_view.h"
#include "services/audit/query/proof.h"
#include "services/audit/query/timeline.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Transaction;

// Three statements read an alert: a snapshot makes them read the same revision.
constexpr char kOneSnapshot[] = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

constexpr std::int64_t kMicrosPerUnit = 1'000'000;

void SetMicros(std::int64_t micros, google::protobuf::Timestamp& into) {
  SetTime(FromUnixMicros(micros), into);
}

void SetPrice(const AttemptRow& row, google::type::Money& price) {
  price.set_currency_code(row.currency_code);
  price.set_units(*row.price_micros / kMicrosPerUnit);
  price.set_nanos(static_cast<std::int32_t>(*row.price_micros % kMicrosPerUnit * 1'000));
}

v1::Attempt MakeAttempt(const AttemptRow& row) {
  v1::Attempt attempt;
  attempt.set_step(row.step);
  attempt.set_attempt(row.attempt);
  attempt.set_status(row.status);
  attempt.set_reason(row.reason);
  attempt.set_provider_code(row.provider_code);
  attempt.set_provider_sid(row.provider_sid);
  attempt.set_explanation(Explain(row.provider_code, row.reason));
  attempt.set_sender_id(row.sender_id);
  attempt.set_segment_count(row.segment_count);
  if (row.start_time_us) SetMicros(*row.start_time_us, *attempt.mutable_start_time());
  SetMicros(row.update_time_us, *attempt.mutable_update_time());
  if (row.price_micros) SetPrice(row, *attempt.mutable_price());
  attempt.set_was_in_doubt(row.was_in_doubt);
  return attempt;
}

void AddTimeline(const AlertRow& row, const records::v1::Plan& plan,
                 std::span<const AlertEvent> events, v1::Alert& alert) {
  std::optional<WallTime> create_time;
  if (row.terms.create_time_us) create_time = FromUnixMicros(*row.terms.create_time_us);
  if (events.empty() && !create_time) return;
  for (v1::TimelineEntry& entry : MakeTimeline(row.terms.channel, create_time, events, plan))
    *alert.add_timeline() = std::move(entry);
}

}  // namespace

Error AlertNotFound(const std::string& alert_id) {
  return {.code = ErrorCode::kNotFound,
          .message = "alert " + alert_id + " not found",
          .subject = alert_id};
}

v1::Alert MakeAlert(const AlertRow& row) {
  v1::Alert alert;
  const AlertTerms& terms = row.terms;
  alert.set_alert_id(row.alert_id);
  alert.set_client_id(terms.client_id);
  alert.set_priority(terms.priority);
  alert.set_channel(terms.channel);
  alert.set_state(row.state);
  alert.set_reason(row.reason);
  alert.set_masked_recipient(MaskedNumber(terms.last_four));
  alert.set_region_code(terms.region_code);
  const auto labels = nlohmann::json::parse(terms.labels_json, nullptr, false);
  if (labels.is_object())
    for (const auto& [name, value] : labels.items())
      if (value.is_string()) (*alert.mutable_labels())[name] = value.get<std::string>();
  if (terms.create_time_us) SetMicros(*terms.create_time_us, *alert.mutable_create_time());
  if (terms.expire_time_us != 0) SetMicros(terms.expire_time_us, *alert.mutable_expire_time());
  if (terms.send_time_us != 0) SetMicros(terms.send_time_us, *alert.mutable_send_time());
  SetMicros(row.update_time_us, *alert.mutable_update_time());
  if (row.end_time_us) SetMicros(*row.end_time_us, *alert.mutable_end_time());
  alert.set_revision(row.revision);
  return alert;
}

Result<std::map<std::string, v1::Alert>> ReadAlerts(postgres::Session& session,
                                                    const AlertIds& ids) {
  constexpr char kOfAlerts[] = " WHERE alert_id = ANY ($1::uuid[])";
  std::map<std::string, v1::Alert> alerts;
  const Status read = session.Run([&](Transaction& transaction) -> Status {
    alerts.clear();
    TOCSIN_CHECK_OK(transaction.Query(kOneSnapshot));
    TOCSIN_TRY(const Rows rows,
               transaction.Query(SelectFrom(kAlerts) + kOfAlerts, {postgres::TextArray(ids)}));
    TOCSIN_TRY(const Rows attempts, transaction.Query(SelectFrom(kAttempts) + kOfAlerts +
                                                          " ORDER BY alert_id, step, attempt",
                                                      {postgres::TextArray(ids)}));
    TOCSIN_TRY(AlertEventsByAlert events, ReadAlertEvents(transaction, ids));
    std::map<std::string, std::vector<AttemptRow>> attempts_of;
    for (size_t i = 0; i < attempts.size(); ++i) {
      AttemptRow row = ReadRow(kAttempts, attempts, i);
      attempts_of[row.alert_id].push_back(std::move(row));
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      const AlertRow row = ReadRow(kAlerts, rows, i);
      v1::Alert& alert = alerts[row.alert_id] = MakeAlert(row);
      for (const AttemptRow& attempt : attempts_of[row.alert_id])
        *alert.add_attempts() = MakeAttempt(attempt);
      std::vector<AlertEvent>& own = events[row.alert_id];
      const records::v1::Plan plan = ParsePlan(row.terms.plan_json);
      if (plan.targets().empty()) KeepFirstActor(own);
      AddProof(own, alert);
      AddPlan(plan, own, alert);
      AddTimeline(row, plan, own, alert);
    }
    return {};
  });
  TOCSIN_CHECK_OK(read);
  return alerts;
}

Result<v1::Alert> ReadAlert(postgres::Session& session, const std::string& client_id,
                            const std::string& alert_id) {
  TOCSIN_TRY(auto alerts, ReadAlerts(session, {alert_id}));
  const auto found = alerts.find(alert_id);
  if (found == alerts.end() || found->second.client_id() != client_id)
    return Fail(AlertNotFound(alert_id));
  return std::move(found->second);
}

}  // namespace tocsin::audit
