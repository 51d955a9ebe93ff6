#include "services/audit/fold_store.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "services/audit/alert_tables.h"
#include "services/audit/dead_letters.h"
#include "services/audit/record_tables.h"
#include "services/audit/stage.h"

namespace tocsin::audit {
namespace {

using postgres::Transaction;

void Append(std::vector<AlertFact> more, std::vector<AlertFact>& facts) {
  std::move(more.begin(), more.end(), std::back_inserter(facts));
}

// Callbacks without a try meet their try here: those that waited for an event of this batch, and
// those of this batch whose try is known already.
Status Adopt(Transaction& transaction, Batch& batch) {
  TOCSIN_TRY(std::vector<AlertFact> waited, AdoptByFacts(transaction, batch.facts));
  std::vector<std::string> sids;
  WallTime received = WallTime::max();
  for (const v1::WebhookRecord& webhook : batch.webhooks) {
    if (!webhook.try_().alert_id().empty() || webhook.provider_sid().empty()) continue;
    sids.push_back(webhook.provider_sid());
    received = std::min(received, FromUnixMicros(webhook.received_time_us()));
  }
  TOCSIN_TRY(std::vector<AlertFact> known, AdoptBySid(transaction, sids, received));
  Append(std::move(waited), batch.facts);
  Append(std::move(known), batch.facts);
  return {};
}

// Everything but the positions.
Status Store(Transaction& transaction, const std::string& cluster_id, Batch& batch, Folded& told) {
  TOCSIN_CHECK_OK(InsertWebhooks(transaction, batch.webhooks));
  TOCSIN_CHECK_OK(Adopt(transaction, batch));
  std::sort(batch.facts.begin(), batch.facts.end(), [](const AlertFact& a, const AlertFact& b) {
    return std::tie(a.alert_id, a.fact.id) < std::tie(b.alert_id, b.fact.id);
  });
  TOCSIN_TRY(NewFacts added, InsertFacts(transaction, batch.facts));
  TOCSIN_TRY(told.changed, WriteAlerts(transaction, added.alerts, batch.alerts, batch.facts));
  TOCSIN_CHECK_OK(InsertDeadLetters(transaction, batch.dead_letters));
  TOCSIN_CHECK_OK(InsertKeys(transaction, batch.keys));
  TOCSIN_CHECK_OK(InsertUnparsed(transaction, cluster_id, batch.unparsed));
  told.new_facts = added.count;
  return {};
}

}  // namespace

FoldStore::FoldStore(postgres::Options database, std::string cluster_id, FoldedTopics topics)
    : session_([&] {
        // A crash of the database may take the last commits with it, but their positions too: the
        // same records are folded again. So no commit waits for the disk.
        database.durable_commit = false;
        database.prefer_indexes = true;  // the cost of a batch must not grow with history
        database.at_connect = MakeStages();
        return std::move(database);
      }()),
      cluster_id_(std::move(cluster_id)),
      topics_(std::move(topics)) {}

Result<std::optional<std::int64_t>> FoldStore::Position(const std::string& topic,
                                                        std::int32_t partition) {
  const PartitionKey key{topic, partition};
  std::optional<std::int64_t> next;
  const Status read = session_.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(next, ReadPosition(transaction, cluster_id_, key));
    return {};
  });
  TOCSIN_CHECK_OK(read);
  next_[key] = next;
  return next;
}

Status FoldStore::Fold(std::span<const IncomingRecord> records) {
  if (records.empty()) return {};
  const Status folded = FoldBatch(Sort(records, topics_));
  if (folded || folded.error().code != ErrorCode::kCorrupt) return folded;
  if (records.size() == 1) return SetAside(records, folded.error());
  const size_t half = records.size() / 2;  // find the one that PostgreSQL refuses
  TOCSIN_CHECK_OK(Fold(records.first(half)));
  return Fold(records.subspan(half));
}

Status FoldStore::SetAside(std::span<const IncomingRecord> records, const Error& error) {
  const IncomingRecord& record = records.front();
  Batch batch;
  batch.offsets[{record.position.topic(), record.position.partition()}] = {
      record.position.offset(), record.position.offset() + 1};
  batch.unparsed.push_back({record.position, error.message, record.value.substr(0, kUnparsedBytes),
                            static_cast<std::int64_t>(record.value.size())});
  return FoldBatch(std::move(batch));
}

Status FoldStore::FoldBatch(Batch batch) {
  std::map<PartitionKey, PositionMove> moves;
  for (const auto& [partition, offsets] : batch.offsets) {
    if (!next_.contains(partition)) TOCSIN_CHECK_OK(Position(partition.first, partition.second));
    const std::optional<std::int64_t> from = next_[partition];
    // Folded before: its facts change nothing, and the position must not go back.
    if (from && *from >= offsets.second) continue;
    moves[partition] = {from, offsets.second};
  }
  Folded told;
  const Status stored = session_.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(MovePositions(transaction, cluster_id_, moves));
    return Store(transaction, cluster_id_, batch, told);
  });
  if (!stored) {
    // The commit may have happened after all, or another process was faster: the table knows.
    for (const auto& [partition, move] : moves) next_.erase(partition);
    return stored;
  }
  for (const auto& [partition, move] : moves) {
    next_[partition] = move.to;
    told.next[partition] = move.to;
  }
  told.records = std::move(batch.counts);
  for (const UnparsedRow& row : batch.unparsed) told.unparsed.push_back(row.position);
  if (told_) told_(told);
  return {};
}

Result<size_t> FoldStore::SweepOrphans(WallTime now) {
  size_t joined = 0;
  const Status swept = session_.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(DropOldOrphans(transaction, now));
    TOCSIN_TRY(const std::vector<AlertFact> facts, AdoptYoung(transaction, now));
    TOCSIN_TRY(const NewFacts added, InsertFacts(transaction, facts));
    joined = added.count;
    TOCSIN_CHECK_OK(WriteAlerts(transaction, added.alerts, {}, facts));
    return {};
  });
  TOCSIN_CHECK_OK(swept);
  return joined;
}

Status FoldStore::EnsureMonths(WallTime now) {
  return session_.Run([&](Transaction& transaction) -> Status {
    const std::int64_t seconds = ToUnixMicros(now) / 1'000'000;
    TOCSIN_CHECK_OK(transaction.Query(R"(
      SELECT tocsin.ensure_month(((to_timestamp($1::bigint) AT TIME ZONE 'UTC') + make_interval(months => n))::date)
        FROM generate_series(-1, $2::integer) AS n)",
                                      {std::to_string(seconds), std::to_string(kMonthsAhead)}));
    return {};
  });
}

}  // namespace tocsin::audit
