#include "services/audit/projection/unmatched_callbacks.h"

#include <optional>
#include <unordered_map>
#include <utility>

#include "common/base/uuid.h"
#include "services/audit/projection/bulk_write.h"
#include "services/audit/projection/tables.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Transaction;

bool IsUnmatched(const records::v1::WebhookRecord& webhook) {
  return webhook.attempt().alert_id().empty() && !webhook.provider_sid().empty() &&
         (webhook.kind() == records::v1::WEBHOOK_KIND_SMS_STATUS ||
          webhook.kind() == records::v1::WEBHOOK_KIND_VOICE_STATUS);
}

// An id contains its time, so this bound excludes older partitions.
std::string FirstIdOf(WallTime time) {
  return FirstUuidAt(std::chrono::floor<std::chrono::milliseconds>(time - 2 * kUnmatchedLifetime));
}

void AddEvent(const std::string& record, const v1::AttemptRef& attempt,
              std::vector<AlertEventRow>& events) {
  records::v1::WebhookRecord webhook;
  if (!webhook.ParseFromString(record)) return;
  if (std::optional<AlertEvent> event = AlertEventOf(webhook, attempt))
    events.push_back({attempt.alert_id(), *std::move(event)});
}

Status Delete(Transaction& transaction, const std::vector<std::string>& webhook_ids) {
  if (webhook_ids.empty()) return {};
  TOCSIN_CHECK_OK(transaction.Query(
      "DELETE FROM tocsin.unmatched_callbacks WHERE webhook_id = ANY ($1::uuid[])",
      {postgres::TextArray(webhook_ids)}));
  return {};
}

// `condition` follows a join of unmatched callbacks (u) with attempts (a).
Result<std::vector<AlertEventRow>> Match(Transaction& transaction, const std::string& condition,
                                         const std::vector<postgres::Value>& parameters) {
  TOCSIN_TRY(const Rows matched,
             transaction.Query("SELECT u.webhook_id, u.record, a.alert_id, a.step, a.attempt"
                               " FROM tocsin.unmatched_callbacks u"
                               " JOIN tocsin.attempts a ON a.provider_sid = u.provider_sid WHERE " +
                                   condition,
                               parameters));
  std::vector<AlertEventRow> events;
  if (matched.size() == 0) return events;
  std::vector<std::string> webhook_ids;
  for (size_t i = 0; i < matched.size(); ++i) {
    v1::AttemptRef attempt;
    attempt.set_alert_id(std::string(matched.Text(i, 2)));
    attempt.set_step(static_cast<std::int32_t>(matched.Integer(i, 3)));
    attempt.set_attempt(static_cast<std::int32_t>(matched.Integer(i, 4)));
    webhook_ids.emplace_back(matched.Text(i, 0));
    AddEvent(matched.Bytes(i, 1), attempt, events);
  }
  TOCSIN_CHECK_OK(Delete(transaction, webhook_ids));
  return events;
}

}  // namespace

Status InsertUnmatched(Transaction& transaction, const WebhooksByKey& webhooks) {
  std::vector<UnmatchedCallbackRow> rows;
  for (const auto& [key, webhook] : webhooks) {
    if (!IsUnmatched(webhook)) continue;
    records::v1::WebhookRecord stored = webhook;
    stored.clear_raw_body();
    stored.clear_key();
    rows.push_back({stored.webhook_id(), stored.provider_sid(), stored.SerializeAsString()});
  }
  if (rows.empty()) return {};
  TOCSIN_CHECK_OK(Insert(transaction, kUnmatchedCallbacks, rows));
  return {};
}

Result<std::vector<AlertEventRow>> MatchByEvents(Transaction& transaction,
                                                 const std::vector<AlertEventRow>& events) {
  std::unordered_map<std::string, v1::AttemptRef> attempts;  // by SID
  std::vector<std::string> sids;
  for (const auto& [alert_id, event] : events) {
    if (event.provider_sid.empty() || event.step == 0) continue;
    const auto [entry, added] = attempts.try_emplace(event.provider_sid);
    if (!added) continue;
    entry->second.set_alert_id(alert_id);
    entry->second.set_step(event.step);
    entry->second.set_attempt(event.attempt);
    sids.push_back(event.provider_sid);
  }
  std::vector<AlertEventRow> matched;
  if (sids.empty()) return matched;
  // The subquery hides the elements of the array from the planner, which would examine each.
  TOCSIN_TRY(
      const Rows rows,
      transaction.Query("SELECT webhook_id, provider_sid, record FROM tocsin.unmatched_callbacks"
                        " WHERE provider_sid = ANY ((SELECT $1::text[])::text[])"
                        " ORDER BY webhook_id FOR UPDATE",
                        {postgres::TextArray(sids)}));
  std::vector<std::string> webhook_ids;
  for (size_t i = 0; i < rows.size(); ++i) {
    webhook_ids.emplace_back(rows.Text(i, 0));
    AddEvent(rows.Bytes(i, 2), attempts[std::string(rows.Text(i, 1))], matched);
  }
  TOCSIN_CHECK_OK(Delete(transaction, webhook_ids));
  return matched;
}

Result<std::vector<AlertEventRow>> MatchBySid(Transaction& transaction,
                                              const std::vector<std::string>& sids,
                                              WallTime receive_time) {
  if (sids.empty()) return std::vector<AlertEventRow>();
  return Match(transaction, "u.provider_sid = ANY ($1::text[]) AND a.alert_id >= $2::uuid",
               {postgres::TextArray(sids), FirstIdOf(receive_time)});
}

Result<std::vector<AlertEventRow>> MatchRecent(Transaction& transaction, WallTime now) {
  const auto seconds = std::chrono::seconds(kRecentlyStored).count();
  return Match(transaction,
               "u.create_time > now() - make_interval(secs => $1::integer)"
               " AND a.alert_id >= $2::uuid LIMIT $3::integer FOR UPDATE OF u SKIP LOCKED",
               {std::to_string(seconds), FirstIdOf(now), std::to_string(kMatchLimit)});
}

Status DeleteOldUnmatched(Transaction& transaction, WallTime now) {
  TOCSIN_CHECK_OK(
      transaction.Query("DELETE FROM tocsin.unmatched_callbacks"
                        " WHERE create_time < to_timestamp($1::double precision / 1000000)",
                        {std::to_string(ToUnixMicros(now - kUnmatchedLifetime))}));
  return {};
}

}  // namespace tocsin::audit
