#include "services/audit/record_tables.h"

#include <algorithm>
#include <utility>

#include "common/base/uuid.h"
#include "services/audit/fold_store.h"
#include "services/audit/stage.h"

namespace tocsin::audit {
namespace {

using postgres::CopyRows;
using postgres::RowArrays;
using postgres::Rows;
using postgres::Transaction;
using postgres::Value;

constexpr StagedTable kWebhooks{
    "webhooks",
    "filed, webhook_id, kind, received_us, step, try, provider_sid, account_sid, status, "
    "provider_code, sequence, signed_by, token, last_four, country, answered_by, duration, "
    "segments, opt_out_type, dek_id, sealed_schema, nonce, form",
    "ON CONFLICT DO NOTHING"};

constexpr StagedTable kWrappedKeys{"wrapped_keys", "dek_id, token, kek_alias, kek_version, wrapped",
                                   "ON CONFLICT DO NOTHING"};

constexpr char kInsertOrphans[] = R"(
  INSERT INTO tocsin.orphans (webhook_id, provider_sid, record)
  SELECT a, b, decode(c, 'hex') FROM unnest($1::uuid[], $2::text[], $3::text[]) AS z (a, b, c)
  ON CONFLICT DO NOTHING)";

std::string FirstId(WallTime time) {
  return FirstUuidAt(std::chrono::floor<std::chrono::milliseconds>(time));
}

WallTime MonthOf(WallTime time) {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(time)};
  return std::chrono::sys_days{day.year() / day.month() / 1};
}

CopyRows& AddBytesUnlessEmpty(CopyRows& rows, const std::string& bytes) {
  return bytes.empty() ? rows.AddNull() : rows.AddBytes(bytes);
}

void AddWebhook(const v1::WebhookRecord& webhook, CopyRows& rows) {
  const WallTime received = FromUnixMicros(webhook.received_time_us());
  const std::string& alert_id = webhook.try_().alert_id();
  rows.Add(alert_id.empty() ? FirstId(MonthOf(received)) : alert_id).Add(webhook.webhook_id());
  rows.Add(static_cast<std::int16_t>(webhook.kind())).Add(webhook.received_time_us());
  rows.Add(webhook.try_().step()).Add(webhook.try_().try_()).Add(webhook.provider_sid());
  rows.Add(webhook.account_sid()).Add(webhook.provider_status()).Add(webhook.provider_code());
  rows.Add(webhook.sequence()).Add(webhook.signed_by());
  AddBytesUnlessEmpty(rows, webhook.recipient().token());
  rows.Add(webhook.recipient().last_four()).Add(webhook.recipient().country());
  rows.Add(webhook.answered_by()).Add(webhook.duration_seconds()).Add(webhook.segments());
  rows.Add(webhook.opt_out_type());
  AddBytesUnlessEmpty(rows, webhook.form().dek_id()).Add(webhook.form().schema());
  AddBytesUnlessEmpty(rows, webhook.form().nonce());
  AddBytesUnlessEmpty(rows, webhook.form().ciphertext()).EndRow();
}

// Status callbacks only: whatever else comes without a try (an incoming message) tells of none.
bool IsOrphan(const v1::WebhookRecord& webhook) {
  return webhook.try_().alert_id().empty() && !webhook.provider_sid().empty() &&
         (webhook.kind() == v1::WEBHOOK_KIND_SMS_STATUS ||
          webhook.kind() == v1::WEBHOOK_KIND_VOICE_STATUS);
}

void AddAdopted(const std::string& record, const v1::TryName& name, std::vector<AlertFact>& facts) {
  v1::WebhookRecord webhook;
  if (!webhook.ParseFromString(record))
    return;  // written by us: cannot be; its row stays in webhooks
  if (std::optional<Fact> fact = FactOf(webhook, name))
    facts.push_back({name.alert_id(), *std::move(fact)});
}

Value TextArray(const std::vector<std::string>& texts) {
  RowArrays column(1, texts.size());
  for (const std::string& text : texts) column.Add(text);
  return std::move(std::move(column).Parameters().front());
}

// Rows of webhook_id, record, alert_id, step, try: deletes the orphans and gives their facts.
Result<std::vector<AlertFact>> Adopt(Transaction& transaction, const Rows& joined) {
  std::vector<AlertFact> facts;
  if (joined.size() == 0) return facts;
  std::vector<std::string> adopted;
  for (size_t i = 0; i < joined.size(); ++i) {
    v1::TryName name;
    name.set_alert_id(std::string(joined.Text(i, 2)));
    name.set_step(static_cast<std::uint32_t>(joined.Integer(i, 3)));
    name.set_try_(static_cast<std::uint32_t>(joined.Integer(i, 4)));
    adopted.emplace_back(joined.Text(i, 0));
    AddAdopted(joined.Bytes(i, 1), name, facts);
  }
  TOCSIN_CHECK_OK(transaction.Query(
      "DELETE FROM tocsin.orphans WHERE webhook_id = ANY ($1::uuid[])", {TextArray(adopted)}));
  return facts;
}

}  // namespace

Result<std::optional<std::int64_t>> ReadPosition(Transaction& transaction,
                                                 const std::string& cluster_id,
                                                 const PartitionKey& partition) {
  TOCSIN_TRY(const Rows rows,
             transaction.Query("SELECT next_offset FROM tocsin.positions"
                               " WHERE cluster_id = $1 AND topic = $2 AND partition = $3::integer",
                               {cluster_id, partition.first, std::to_string(partition.second)}));
  if (rows.size() == 0) return std::optional<std::int64_t>();
  return std::optional(rows.Integer(0, 0));
}

Status MovePositions(Transaction& transaction, const std::string& cluster_id,
                     const std::map<PartitionKey, PositionMove>& moves) {
  constexpr char kUpdate[] = R"(
    UPDATE tocsin.positions AS p SET next_offset = s.next
      FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[]) AS s (topic, part, old, next)
     WHERE p.cluster_id = $1 AND p.topic = s.topic AND p.partition = s.part AND p.next_offset = s.old)";
  constexpr char kInsert[] = R"(
    INSERT INTO tocsin.positions (cluster_id, topic, partition, next_offset)
    SELECT $1, s.topic, s.part, s.next FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS s (topic, part, next)
    ON CONFLICT DO NOTHING)";
  RowArrays known(4, moves.size());
  RowArrays first(3, moves.size());
  for (const auto& [partition, move] : moves) {
    RowArrays& rows = (move.from ? known : first).Add(partition.first).Add(partition.second);
    if (move.from) rows.Add(*move.from);
    rows.Add(move.to);
  }
  size_t moved = 0;
  for (auto& [rows, sql] : {std::pair{&known, kUpdate}, std::pair{&first, kInsert}}) {
    if (rows->empty()) continue;
    std::vector<Value> parameters = std::move(*rows).Parameters();
    parameters.insert(parameters.begin(), cluster_id);
    TOCSIN_TRY(const Rows done, transaction.Query(sql, parameters));
    moved += done.affected();
  }
  if (moved != moves.size())
    return Fail(ErrorCode::kOutcomeUnknown, "another process moved a position of this batch");
  return {};
}

Status InsertWebhooks(Transaction& transaction, const std::vector<v1::WebhookRecord>& webhooks) {
  if (webhooks.empty()) return {};
  TOCSIN_CHECK_OK(Merge(transaction, kWebhooks, [&](CopyRows& rows) {
    for (const v1::WebhookRecord& webhook : webhooks) AddWebhook(webhook, rows);
  }));
  RowArrays orphans(3, webhooks.size());
  for (const v1::WebhookRecord& webhook : webhooks) {
    if (!IsOrphan(webhook)) continue;
    v1::WebhookRecord kept = webhook;
    kept.clear_form();
    kept.clear_key();
    orphans.Add(kept.webhook_id()).Add(kept.provider_sid()).AddHex(kept.SerializeAsString());
  }
  if (!orphans.empty())
    TOCSIN_CHECK_OK(transaction.Query(kInsertOrphans, std::move(orphans).Parameters()));
  return {};
}

Result<std::vector<AlertFact>> AdoptByFacts(Transaction& transaction,
                                            const std::vector<AlertFact>& facts) {
  std::map<std::string, v1::TryName> names;
  std::vector<std::string> sids;
  for (const auto& [alert_id, fact] : facts) {
    if (fact.provider_sid.empty() || fact.step == 0) continue;
    const auto [entry, added] = names.try_emplace(fact.provider_sid);
    if (!added) continue;
    entry->second.set_alert_id(alert_id);
    entry->second.set_step(fact.step);
    entry->second.set_try_(fact.attempt);
    sids.push_back(fact.provider_sid);
  }
  std::vector<AlertFact> adopted;
  if (sids.empty()) return adopted;
  TOCSIN_TRY(const Rows rows,
             transaction.Query("DELETE FROM tocsin.orphans WHERE provider_sid = ANY ($1::text[])"
                               " RETURNING provider_sid, record",
                               {TextArray(sids)}));
  for (size_t i = 0; i < rows.size(); ++i)
    AddAdopted(rows.Bytes(i, 1), names[std::string(rows.Text(i, 0))], adopted);
  return adopted;
}

Result<std::vector<AlertFact>> AdoptBySid(Transaction& transaction,
                                          const std::vector<std::string>& sids, WallTime received) {
  if (sids.empty()) return std::vector<AlertFact>();
  // Ids hold their time, so the bound leaves all but the last partitions untouched.
  TOCSIN_TRY(const Rows joined,
             transaction.Query(R"(
               SELECT o.webhook_id, o.record, t.alert_id, t.step, t.try
                 FROM tocsin.orphans o JOIN tocsin.tries t ON t.provider_sid = o.provider_sid
                WHERE o.provider_sid = ANY ($1::text[]) AND t.alert_id >= $2::uuid)",
                               {TextArray(sids), FirstId(received - 2 * kOrphanLife)}));
  return Adopt(transaction, joined);
}

Result<std::vector<AlertFact>> AdoptYoung(Transaction& transaction, WallTime now) {
  const auto window = std::chrono::seconds(kOrphanSweepWindow).count();
  TOCSIN_TRY(const Rows joined,
             transaction.Query(R"(
               SELECT o.webhook_id, o.record, t.alert_id, t.step, t.try
                 FROM tocsin.orphans o JOIN tocsin.tries t ON t.provider_sid = o.provider_sid
                WHERE o.stored > now() - make_interval(secs => $1::integer) AND t.alert_id >= $2::uuid
                LIMIT $3::integer FOR UPDATE OF o SKIP LOCKED)",
                               {std::to_string(window), FirstId(now - 2 * kOrphanLife),
                                std::to_string(kSweepLimit)}));
  return Adopt(transaction, joined);
}

Status DropOldOrphans(Transaction& transaction, WallTime now) {
  const std::int64_t before = ToUnixMicros(now - kOrphanLife);
  TOCSIN_CHECK_OK(transaction.Query(
      "DELETE FROM tocsin.orphans WHERE stored < to_timestamp($1::double precision / 1000000)",
      {std::to_string(before)}));
  return {};
}

Status InsertKeys(Transaction& transaction, const std::map<std::string, WrappedKeyRow>& keys) {
  if (keys.empty()) return {};
  TOCSIN_CHECK_OK(Merge(transaction, kWrappedKeys, [&](CopyRows& rows) {
    for (const auto& [dek_id, row] : keys) {
      rows.AddBytes(dek_id);
      AddBytesUnlessEmpty(rows, row.token).Add(row.key.kek_alias());
      rows.Add(row.key.kek_version()).AddBytes(row.key.wrapped()).EndRow();
    }
  }));
  return {};
}

Status InsertUnparsed(Transaction& transaction, const std::string& cluster_id,
                      const std::vector<UnparsedRow>& unparsed) {
  if (unparsed.empty()) return {};
  RowArrays rows(6, unparsed.size());
  for (const UnparsedRow& row : unparsed) {
    rows.Add(row.position.topic()).Add(row.position.partition()).Add(row.position.offset());
    rows.Add(row.reason).Add(row.bytes).AddHex(row.head);
  }
  std::vector<Value> parameters = std::move(rows).Parameters();
  parameters.insert(parameters.begin(), cluster_id);
  TOCSIN_CHECK_OK(transaction.Query(R"(
    INSERT INTO tocsin.unparsed (cluster_id, topic, partition, record_offset, reason, bytes, value)
    SELECT $1, a, b, c, d, e, decode(f, 'hex')
      FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::text[], $6::bigint[], $7::text[])
        AS z (a, b, c, d, e, f)
    ON CONFLICT DO NOTHING)",
                                    parameters));
  return {};
}

}  // namespace tocsin::audit
