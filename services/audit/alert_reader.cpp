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

constexpr char kReadAlert[] = R"(
  SELECT client_id, class, channel, state, reason, last_four, country, labels, accepted_us, not_after_us,
         send_at_us, updated_us, ended_us, revision
    FROM tocsin.alerts WHERE alert_id = $1::uuid AND client_id = $2)";

constexpr char kReadTries[] = R"(
  SELECT step, try, status, reason, provider_code, provider_sid, sender, segments, started_us, updated_us,
         price_micros, currency, doubted
    FROM tocsin.tries WHERE alert_id = $1::uuid ORDER BY step, try)";

// Sets the field unless the column is NULL.
void FillTime(const Rows& rows, size_t row, size_t column,
              const std::function<google::protobuf::Timestamp*()>& field) {
  if (const auto micros = rows.OptionalInteger(row, column))
    SetTime(FromUnixMicros(*micros), *field());
}

void FillAlert(const Rows& rows, v1::Alert& alert) {
  alert.set_client_id(std::string(rows.Text(0, 0)));
  alert.set_class_(static_cast<v1::AlertClass>(rows.Integer(0, 1)));
  alert.set_channel(static_cast<v1::Channel>(rows.Integer(0, 2)));
  alert.set_state(static_cast<v1::AlertState>(rows.Integer(0, 3)));
  alert.set_reason(std::string(rows.Text(0, 4)));
  if (!rows.Text(0, 5).empty()) alert.set_recipient("*******" + std::string(rows.Text(0, 5)));
  alert.set_country(std::string(rows.Text(0, 6)));
  const auto labels = nlohmann::json::parse(rows.Text(0, 7), nullptr, false);
  if (labels.is_object())
    for (const auto& [name, value] : labels.items())
      if (value.is_string()) (*alert.mutable_labels())[name] = value.get<std::string>();
  FillTime(rows, 0, 8, [&] { return alert.mutable_accept_time(); });
  FillTime(rows, 0, 9, [&] { return alert.mutable_expire_time(); });
  FillTime(rows, 0, 10, [&] { return alert.mutable_send_time(); });
  FillTime(rows, 0, 11, [&] { return alert.mutable_update_time(); });
  FillTime(rows, 0, 12, [&] { return alert.mutable_end_time(); });
  alert.set_revision(static_cast<std::uint64_t>(rows.Integer(0, 13)));
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

}  // namespace

Result<v1::Alert> ReadAlert(postgres::Session& session, const std::string& client_id,
                            const std::string& alert_id) {
  v1::Alert alert;
  const Status read = session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(const Rows rows, transaction.Query(kReadAlert, {alert_id, client_id}));
    if (rows.size() == 0) return Fail(ErrorCode::kNotFound, "no such alert");
    alert.set_alert_id(alert_id);
    FillAlert(rows, alert);
    TOCSIN_TRY(const Rows tries, transaction.Query(kReadTries, {alert_id}));
    for (size_t i = 0; i < tries.size(); ++i) FillTry(tries, i, *alert.add_tries());
    TOCSIN_TRY(const FactsByAlert facts, ReadFacts(transaction, {alert_id}));
    const auto known = facts.find(alert_id);
    const auto accepted = rows.OptionalInteger(0, 8);
    for (v1::TimelineEntry& entry :
         Timeline(accepted ? std::optional(FromUnixMicros(*accepted)) : std::nullopt,
                  known == facts.end() ? std::span<const Fact>() : std::span(known->second)))
      *alert.add_timeline() = std::move(entry);
    return {};
  });
  TOCSIN_CHECK_OK(read);
  return alert;
}

}  // namespace tocsin::audit
