#include "services/audit/alert_reader.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/time.h"
#include "services/audit/alert_tables.h"
#include "services/audit/timeline.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Transaction;

constexpr char kSelectAlerts[] = R"(
  SELECT alert_id, client_id, class, channel, state, reason, last_four, country, labels, accepted_us, not_after_us,
         send_at_us, updated_us, ended_us, revision
    FROM tocsin.alerts)";
constexpr size_t kAcceptedColumn = 9;

constexpr char kReadTries[] = R"(
  SELECT step, try, status, reason, provider_code, provider_sid, sender, segments, started_us, updated_us,
         price_micros, currency, doubted, alert_id
    FROM tocsin.tries WHERE alert_id = ANY ($1::uuid[]) ORDER BY alert_id, step, try)";

// Alert, tries and facts are read by three statements: one snapshot keeps them of one revision.
constexpr char kOneSnapshot[] = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

// Sets the field unless the column is NULL.
void FillTime(const Rows& rows, size_t row, size_t column,
              const std::function<google::protobuf::Timestamp*()>& field) {
  if (const auto micros = rows.OptionalInteger(row, column))
    SetTime(FromUnixMicros(*micros), *field());
}

void FillTry(const Rows& rows, size_t i, v1::Try& attempt) {
  attempt.set_step(static_cast<std::uint32_t>(rows.Integer(i, 0)));
  attempt.set_try_(static_cast<std::uint32_t>(rows.Integer(i, 1)));
  attempt.set_status(static_cast<v1::TryStatus>(rows.Integer(i, 2)));
  attempt.set_reason(std::string(rows.Text(i, 3)));
  attempt.set_provider_code(static_cast<std::int32_t>(rows.Integer(i, 4)));
  attempt.set_provider_sid(std::string(rows.Text(i, 5)));
  attempt.set_explanation(Explain(attempt.provider_code(), attempt.reason()));
  attempt.set_sender(std::string(rows.Text(i, 6)));
  attempt.set_segments(static_cast<std::uint32_t>(rows.Integer(i, 7)));
  FillTime(rows, i, 8, [&] { return attempt.mutable_start_time(); });
  FillTime(rows, i, 9, [&] { return attempt.mutable_update_time(); });
  if (const auto micros = rows.OptionalInteger(i, 10)) {
    attempt.mutable_price()->set_micros(*micros);
    attempt.mutable_price()->set_currency(std::string(rows.Text(i, 11)));
  }
  attempt.set_doubted(rows.Boolean(i, 12));
}

void FillTimeline(std::optional<std::int64_t> accepted_us, const FactsByAlert& facts,
                  v1::Alert& alert) {
  const auto known = facts.find(alert.alert_id());
  for (v1::TimelineEntry& entry :
       Timeline(accepted_us ? std::optional(FromUnixMicros(*accepted_us)) : std::nullopt,
                known == facts.end() ? std::span<const Fact>() : std::span(known->second)))
    *alert.add_timeline() = std::move(entry);
}

}  // namespace

std::string SelectOfAlerts() { return kSelectAlerts; }

std::int64_t AcceptedMicros(const Rows& rows, size_t row) {
  return rows.Integer(row, kAcceptedColumn);
}

void FillAlert(const Rows& rows, size_t row, v1::Alert& alert) {
  alert.set_alert_id(std::string(rows.Text(row, 0)));
  alert.set_client_id(std::string(rows.Text(row, 1)));
  alert.set_class_(static_cast<v1::AlertClass>(rows.Integer(row, 2)));
  alert.set_channel(static_cast<v1::Channel>(rows.Integer(row, 3)));
  alert.set_state(static_cast<v1::AlertState>(rows.Integer(row, 4)));
  alert.set_reason(std::string(rows.Text(row, 5)));
  if (!rows.Text(row, 6).empty()) alert.set_recipient("*******" + std::string(rows.Text(row, 6)));
  alert.set_country(std::string(rows.Text(row, 7)));
  const auto labels = nlohmann::json::parse(rows.Text(row, 8), nullptr, false);
  if (labels.is_object())
    for (const auto& [name, value] : labels.items())
      if (value.is_string()) (*alert.mutable_labels())[name] = value.get<std::string>();
  FillTime(rows, row, kAcceptedColumn, [&] { return alert.mutable_accept_time(); });
  FillTime(rows, row, 10, [&] { return alert.mutable_expire_time(); });
  FillTime(rows, row, 11, [&] { return alert.mutable_send_time(); });
  FillTime(rows, row, 12, [&] { return alert.mutable_update_time(); });
  FillTime(rows, row, 13, [&] { return alert.mutable_end_time(); });
  alert.set_revision(static_cast<std::uint64_t>(rows.Integer(row, 14)));
}

Result<std::map<std::string, v1::Alert>> ReadAlerts(postgres::Session& session,
                                                    const AlertIds& ids) {
  std::map<std::string, v1::Alert> alerts;
  const Status read = session.Run([&](Transaction& transaction) -> Status {
    alerts.clear();
    TOCSIN_CHECK_OK(transaction.Query(kOneSnapshot));
    TOCSIN_TRY(const Rows rows,
               transaction.Query(std::string(kSelectAlerts) + " WHERE alert_id = ANY ($1::uuid[])",
                                 {IdArray(ids)}));
    TOCSIN_TRY(const Rows tries, transaction.Query(kReadTries, {IdArray(ids)}));
    TOCSIN_TRY(const FactsByAlert facts, ReadFacts(transaction, ids));
    for (size_t i = 0; i < rows.size(); ++i) {
      v1::Alert& alert = alerts[std::string(rows.Text(i, 0))];
      FillAlert(rows, i, alert);
      FillTimeline(rows.OptionalInteger(i, kAcceptedColumn), facts, alert);
    }
    for (size_t i = 0; i < tries.size(); ++i)
      if (const auto of = alerts.find(std::string(tries.Text(i, 13))); of != alerts.end())
        FillTry(tries, i, *of->second.add_tries());
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
    return Fail(ErrorCode::kNotFound, "no such alert");
  return std::move(found->second);
}

}  // namespace tocsin::audit
