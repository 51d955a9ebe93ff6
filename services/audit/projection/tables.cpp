#include "services/audit/projection/tables.h"

#include <chrono>

#include "common/base/uuid.h"

namespace tocsin::audit {
namespace {

using records::v1::WebhookRecord;

constexpr std::array kAlertColumns{
    Field<AlertRow, &AlertRow::alert_id>("alert_id", "uuid"),
    NullableField<AlertRow, &AlertRow::terms, &AlertTerms::client_id>("client_id", "text"),
    NullableField<AlertRow, &AlertRow::terms, &AlertTerms::priority>("priority", "smallint"),
    NullableField<AlertRow, &AlertRow::terms, &AlertTerms::channel>("channel", "smallint"),
    BytesField<AlertRow, &AlertRow::terms, &AlertTerms::token>("token"),
    NullableField<AlertRow, &AlertRow::terms, &AlertTerms::token_version>("token_version",
                                                                          "integer"),
    NullableField<AlertRow, &AlertRow::terms, &AlertTerms::last_four>("last_four", "text"),
    NullableField<AlertRow, &AlertRow::terms, &AlertTerms::region_code>("region_code", "text"),
    Field<AlertRow, &AlertRow::terms, &AlertTerms::labels_json>("labels", "jsonb"),
    Field<AlertRow, &AlertRow::terms, &AlertTerms::create_time_us>("create_time_us", "bigint"),
    NullableField<AlertRow, &AlertRow::terms, &AlertTerms::expire_time_us>("expire_time_us",
                                                                           "bigint"),
    NullableField<AlertRow, &AlertRow::terms, &AlertTerms::send_time_us>("send_time_us", "bigint"),
    Field<AlertRow, &AlertRow::state>("state", "smallint"),
    Field<AlertRow, &AlertRow::reason>("reason", "text"),
    Field<AlertRow, &AlertRow::update_time_us>("update_time_us", "bigint"),
    Field<AlertRow, &AlertRow::end_time_us>("end_time_us", "bigint"),
    DefaultField<AlertRow, &AlertRow::revision>("revision", "bigint"),
    NullableField<AlertRow, &AlertRow::outcome>("outcome", "smallint"),
    NullableField<AlertRow, &AlertRow::terms, &AlertTerms::plan_json>("plan", "jsonb"),
};

constexpr std::array kAttemptColumns{
    Field<AttemptRow, &AttemptRow::alert_id>("alert_id", "uuid"),
    Field<AttemptRow, &AttemptRow::step>("step", "integer"),
    Field<AttemptRow, &AttemptRow::attempt>("attempt", "integer"),
    Field<AttemptRow, &AttemptRow::status>("status", "smallint"),
    Field<AttemptRow, &AttemptRow::reason>("reason", "text"),
    Field<AttemptRow, &AttemptRow::provider_code>("provider_code", "integer"),
    NullableField<AttemptRow, &AttemptRow::provider_sid>("provider_sid", "text"),
    Field<AttemptRow, &AttemptRow::sender_id>("sender_id", "text"),
    Field<AttemptRow, &AttemptRow::segment_count>("segment_count", "integer"),
    Field<AttemptRow, &AttemptRow::start_time_us>("start_time_us", "bigint"),
    Field<AttemptRow, &AttemptRow::update_time_us>("update_time_us", "bigint"),
    Field<AttemptRow, &AttemptRow::price_micros>("price_micros", "bigint"),
    NullableField<AttemptRow, &AttemptRow::currency_code>("currency_code", "text"),
    Field<AttemptRow, &AttemptRow::was_in_doubt>("was_in_doubt", "boolean"),
};

// A column for a member of AlertEvent.
template <auto Member>
constexpr Column<AlertEventRow> EventField(std::string_view name, std::string_view type) {
  return Field<AlertEventRow, &AlertEventRow::event, Member>(name, type);
}

constexpr std::array kAlertEventColumns{
    Field<AlertEventRow, &AlertEventRow::alert_id>("alert_id", "uuid"),
    EventField<&AlertEvent::id>("event_id", "uuid"),
    EventField<&AlertEvent::kind>("kind", "smallint"),
    EventField<&AlertEvent::step>("step", "integer"),
    EventField<&AlertEvent::attempt>("attempt", "integer"),
    EventField<&AlertEvent::time>("event_time_us", "bigint"),
    EventField<&AlertEvent::status>("status", "smallint"),
    EventField<&AlertEvent::reason>("reason", "text"),
    EventField<&AlertEvent::provider_code>("provider_code", "integer"),
    EventField<&AlertEvent::error_class>("error_class", "smallint"),
    EventField<&AlertEvent::provider_sid>("provider_sid", "text"),
    EventField<&AlertEvent::sender_id>("sender_id", "text"),
    EventField<&AlertEvent::segment_count>("segment_count", "integer"),
    EventField<&AlertEvent::next_attempt>("next_attempt", "integer"),
    EventField<&AlertEvent::last>("last", "boolean"),
    EventField<&AlertEvent::note>("note", "text"),
    EventField<&AlertEvent::acknowledgement_method>("acknowledgement_method", "smallint"),
    EventField<&AlertEvent::actor_id>("actor_id", "text"),
    EventField<&AlertEvent::cancel_outcome>("cancel_outcome", "smallint"),
    EventField<&AlertEvent::webhook_kind>("webhook_kind", "smallint"),
    EventField<&AlertEvent::provider_status>("provider_status", "text"),
    EventField<&AlertEvent::answered_by>("answered_by", "smallint"),
    EventField<&AlertEvent::duration_seconds>("duration_seconds", "integer"),
    EventField<&AlertEvent::price_micros>("price_micros", "bigint"),
    EventField<&AlertEvent::currency>("currency_code", "text"),
    BytesField<AlertEventRow, &AlertEventRow::event, &AlertEvent::evidence>("evidence"),
    EventField<&AlertEvent::person>("person", "text"),
};

// A column for a value of a webhook's record.
template <typename Compute>
constexpr Column<WebhookRecord> Of(std::string_view name, std::string_view type, Compute compute) {
  return Computed<WebhookRecord>(name, type, compute);
}
template <typename Compute>
constexpr Column<WebhookRecord> BytesOf(std::string_view name, Compute compute) {
  return ComputedBytes<WebhookRecord>(name, compute);
}
using Webhook = const WebhookRecord&;

constexpr std::array kWebhookColumns{
    Of("partition_key", "uuid", [](Webhook w) { return PartitionKeyOf(w); }),
    Of("webhook_id", "uuid", [](Webhook w) { return w.webhook_id(); }),
    Of("kind", "smallint", [](Webhook w) { return w.kind(); }),
    Of("receive_time_us", "bigint", [](Webhook w) { return w.receive_time_us(); }),
    Of("step", "integer", [](Webhook w) { return w.attempt().step(); }),
    Of("attempt", "integer", [](Webhook w) { return w.attempt().attempt(); }),
    Of("provider_sid", "text", [](Webhook w) { return w.provider_sid(); }),
    Of("account_sid", "text", [](Webhook w) { return w.account_sid(); }),
    Of("provider_status", "text", [](Webhook w) { return w.provider_status(); }),
    Of("status", "smallint", [](Webhook w) { return w.status(); }),
    Of("provider_code", "integer", [](Webhook w) { return w.provider_code(); }),
    Of("sequence_number", "integer", [](Webhook w) { return w.sequence_number(); }),
    Of("signed_by", "smallint", [](Webhook w) { return w.signed_by(); }),
    BytesOf(
        "token", [](Webhook w) -> auto& { return w.recipient().token(); }),
    Of("last_four", "text", [](Webhook w) { return w.recipient().last_four(); }),
    Of("region_code", "text", [](Webhook w) { return w.recipient().region_code(); }),
    Of("answered_by", "smallint", [](Webhook w) { return w.answered_by(); }),
    Of("duration_seconds", "integer", [](Webhook w) { return w.duration_seconds(); }),
    Of("segment_count", "integer", [](Webhook w) { return w.segment_count(); }),
    Of("opt_out_type", "text", [](Webhook w) { return w.opt_out_type(); }),
    BytesOf(
        "dek_id", [](Webhook w) -> auto& { return w.raw_body().dek_id(); }),
    Of("sealed_schema", "integer", [](Webhook w) { return w.raw_body().schema(); }),
    BytesOf(
        "nonce", [](Webhook w) -> auto& { return w.raw_body().nonce(); }),
    BytesOf(
        "raw_body", [](Webhook w) -> auto& { return w.raw_body().ciphertext(); }),
};

constexpr std::array kUnmatchedCallbackColumns{
    Field<UnmatchedCallbackRow, &UnmatchedCallbackRow::webhook_id>("webhook_id", "uuid"),
    Field<UnmatchedCallbackRow, &UnmatchedCallbackRow::provider_sid>("provider_sid", "text"),
    DefaultField<UnmatchedCallbackRow>("create_time", "timestamp with time zone"),
    BytesField<UnmatchedCallbackRow, &UnmatchedCallbackRow::record>("record"),
};

constexpr std::array kWrappedKeyColumns{
    BytesField<WrappedKeyRow, &WrappedKeyRow::dek_id>("dek_id"),
    BytesField<WrappedKeyRow, &WrappedKeyRow::token>("token"),
    Field<WrappedKeyRow, &WrappedKeyRow::kek_alias>("kek_alias", "text"),
    Field<WrappedKeyRow, &WrappedKeyRow::kek_version>("kek_version", "integer"),
    BytesField<WrappedKeyRow, &WrappedKeyRow::wrapped>("wrapped"),
};

constexpr std::array kUnparsedColumns{
    Field<UnparsedRow, &UnparsedRow::cluster_id>("cluster_id", "text"),
    Field<UnparsedRow, &UnparsedRow::topic>("topic", "text"),
    Field<UnparsedRow, &UnparsedRow::partition>("partition", "integer"),
    Field<UnparsedRow, &UnparsedRow::record_offset>("record_offset", "bigint"),
    Field<UnparsedRow, &UnparsedRow::reason>("reason", "text"),
    Field<UnparsedRow, &UnparsedRow::value_length>("value_length", "bigint"),
    BytesField<UnparsedRow, &UnparsedRow::value>("value"),
    DefaultField<UnparsedRow>("create_time", "timestamp with time zone"),
};

constexpr std::array kDeadLetterColumns{
    Field<DeadLetterRow, &DeadLetterRow::alert_id>("alert_id", "uuid"),
    Field<DeadLetterRow, &DeadLetterRow::step>("step", "integer"),
    Field<DeadLetterRow, &DeadLetterRow::attempt>("attempt", "integer"),
    Field<DeadLetterRow, &DeadLetterRow::client_id>("client_id", "text"),
    Field<DeadLetterRow, &DeadLetterRow::channel>("channel", "smallint"),
    Field<DeadLetterRow, &DeadLetterRow::reason>("reason", "text"),
    Field<DeadLetterRow, &DeadLetterRow::provider_code>("provider_code", "integer"),
    Field<DeadLetterRow, &DeadLetterRow::create_time_us>("create_time_us", "bigint"),
    Field<DeadLetterRow, &DeadLetterRow::topic>("topic", "text"),
    Field<DeadLetterRow, &DeadLetterRow::partition>("partition", "integer"),
    Field<DeadLetterRow, &DeadLetterRow::record_offset>("record_offset", "bigint"),
    Field<DeadLetterRow, &DeadLetterRow::traceparent>("traceparent", "text"),
    BytesField<DeadLetterRow, &DeadLetterRow::work>("work"),
    Field<DeadLetterRow, &DeadLetterRow::state>("state", "smallint"),
    NullableField<DeadLetterRow, &DeadLetterRow::next_attempt>("next_attempt", "integer"),
    Field<DeadLetterRow, &DeadLetterRow::forced>("forced", "boolean"),
    Field<DeadLetterRow, &DeadLetterRow::close_time_us>("close_time_us", "bigint"),
    Field<DeadLetterRow, &DeadLetterRow::actor_id>("actor_id", "text"),
    Field<DeadLetterRow, &DeadLetterRow::discard_reason>("discard_reason", "text"),
};

}  // namespace

constexpr Table<AlertRow> kAlerts{"alerts", kAlertColumns, 1};
constexpr Table<AttemptRow> kAttempts{"attempts", kAttemptColumns, 3};
constexpr Table<AlertEventRow> kAlertEvents{"alert_events", kAlertEventColumns, 2};
constexpr Table<WebhookRecord> kWebhooks{"webhooks", kWebhookColumns, 2};
constexpr Table<UnmatchedCallbackRow> kUnmatchedCallbacks{"unmatched_callbacks",
                                                          kUnmatchedCallbackColumns, 1};
constexpr Table<WrappedKeyRow> kWrappedKeys{"wrapped_keys", kWrappedKeyColumns, 1};
constexpr Table<UnparsedRow> kUnparsed{"unparsed", kUnparsedColumns, 4};
constexpr Table<DeadLetterRow> kDeadLetters{"dead_letters", kDeadLetterColumns, 3};

std::string PartitionKeyOf(const WebhookRecord& webhook) {
  if (!webhook.attempt().alert_id().empty()) return webhook.attempt().alert_id();
  const std::chrono::year_month_day day{
      std::chrono::floor<std::chrono::days>(FromUnixMicros(webhook.receive_time_us()))};
  return FirstUuidAt(std::chrono::sys_days{day.year() / day.month() / 1});
}

}  // namespace tocsin::audit
