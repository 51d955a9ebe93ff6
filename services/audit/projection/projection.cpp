#include "services/audit/projection/projection.h"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <tuple>
#include <utility>

#include "common/base/failpoint.h"
#include "services/audit/projection/bulk_write.h"
#include "services/audit/projection/positions.h"
#include "services/audit/projection/tables.h"
#include "services/audit/projection/unmatched_callbacks.h"

namespace tocsin::audit {
namespace {

using postgres::Transaction;

void Append(std::vector<AlertEventRow> more, std::vector<AlertEventRow>& events) {
  std::move(more.begin(), more.end(), std::back_inserter(events));
}

// Adds the events of callbacks without an attempt: of stored ones that match an event of this
// batch, and of those in this batch whose attempt is stored.
Status AddMatchedCallbacks(Transaction& transaction, Batch& batch) {
  TOCSIN_TRY(std::vector<AlertEventRow> by_events, MatchByEvents(transaction, batch.alert_events));
  std::vector<std::string> sids;
  WallTime receive_time = WallTime::max();
  for (const auto& [key, webhook] : batch.webhooks) {
    if (!webhook.attempt().alert_id().empty() || webhook.provider_sid().empty()) continue;
    sids.push_back(webhook.provider_sid());
    receive_time = std::min(receive_time, FromUnixMicros(webhook.receive_time_us()));
  }
  TOCSIN_TRY(std::vector<AlertEventRow> by_sid, MatchBySid(transaction, sids, receive_time));
  Append(std::move(by_events), batch.alert_events);
  Append(std::move(by_sid), batch.alert_events);
  SortUnique(batch.alert_events);
  return {};
}

// References to the values of a map, in the order of its keys.
template <typename Map>
auto ValuesOf(const Map& map) {
  std::vector<std::reference_wrapper<const typename Map::mapped_type>> values;
  values.reserve(map.size());
  for (const auto& [key, value] : map) values.emplace_back(value);
  return values;
}

// Stores everything but the positions. Every transaction writes the tables in this order, and
// alerts last: others with the same alerts wait for the rest of the transaction.
Status StoreRows(Transaction& transaction, const std::string& cluster_id, Batch& batch,
                 AppliedBatch& applied) {
  std::ranges::sort(batch.dead_letters, {}, [](const DeadLetterRow& row) {
    return std::tie(row.alert_id, row.step, row.attempt);
  });
  for (UnparsedRow& row : batch.unparsed) row.cluster_id = cluster_id;
  TOCSIN_CHECK_OK(Insert(transaction, kUnparsed, batch.unparsed));
  TOCSIN_CHECK_OK(Insert(transaction, kDeadLetters, batch.dead_letters));
  TOCSIN_CHECK_OK(Insert(transaction, kWrappedKeys, ValuesOf(batch.keys)));
  TOCSIN_CHECK_OK(Insert(transaction, kWebhooks, ValuesOf(batch.webhooks)));
  TOCSIN_CHECK_OK(InsertUnmatched(transaction, batch.webhooks));
  TOCSIN_CHECK_OK(AddMatchedCallbacks(transaction, batch));
  TOCSIN_TRY(const NewEvents added, InsertAlertEvents(transaction, batch.alert_events));
  TOCSIN_TRY(applied.changed, WriteAlerts(transaction, added, batch.alerts, batch.alert_events));
  applied.new_events = added.count;
  return {};
}

// A batch that stores a record as unparsed.
Batch UnparsedBatch(const IncomingRecord& record, const Error& error) {
  Batch batch;
  batch.offsets[{record.position.topic(), record.position.partition()}] = {
      record.position.offset(), record.position.offset() + 1};
  batch.unparsed.push_back(MakeUnparsedRow(record, error.message));
  return batch;
}

records::v1::Position PositionOf(const UnparsedRow& row) {
  records::v1::Position position;
  position.set_topic(row.topic);
  position.set_partition(row.partition);
  position.set_offset(row.record_offset);
  return position;
}

}  // namespace

Projection::Projection(postgres::Options database, std::string cluster_id, ProjectedTopics topics)
    : session_([&] {
        // A crash of the database may lose the last commits, but with them their positions: the
        // same records are projected again (CheckPositions). Commits therefore do not wait for the
        // disk.
        database.synchronous_commit = false;
        database.prefer_indexes = true;  // the cost of a batch must not grow with history
        database.prepare_statements = true;
        return std::move(database);
      }()),
      cluster_id_(std::move(cluster_id)),
      topics_(std::move(topics)) {}

Result<std::optional<std::int64_t>> Projection::NextOffset(const std::string& topic,
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

Status Projection::CheckPositions() {
  Positions stored;
  const Status read = session_.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(stored, ReadPositions(transaction, cluster_id_));
    return {};
  });
  TOCSIN_CHECK_OK(read);
  const bool lost = std::ranges::any_of(next_, [&](const auto& known) {
    const auto position = stored.find(known.first);
    return known.second && (position == stored.end() || position->second < *known.second);
  });
  if (!lost) return {};
  next_.clear();
  return Fail(ErrorCode::kOutcomeUnknown, "PostgreSQL lost commits; projecting the records again");
}

Status Projection::Apply(std::span<const IncomingRecord> records) {
  if (records.empty()) return {};
  const Status stored = Store(DecodeRecords(records, topics_));
  if (stored || stored.error().code != ErrorCode::kDataCorrupted) return stored;
  if (records.size() == 1) return Store(UnparsedBatch(records.front(), stored.error()));
  const size_t half = records.size() / 2;  // search for the record that PostgreSQL refuses
  TOCSIN_CHECK_OK(Apply(records.first(half)));
  return Apply(records.subspan(half));
}

Status Projection::Store(Batch batch) {
  std::map<PartitionKey, PositionMove> moves;
  for (const auto& [partition, offsets] : batch.offsets) {
    if (!next_.contains(partition)) TOCSIN_CHECK_OK(NextOffset(partition.first, partition.second));
    const std::optional<std::int64_t> from = next_[partition];
    // Projected before: the rows exist, and the position must not move back.
    if (from && *from >= offsets.second) continue;
    moves[partition] = {from, offsets.second};
  }
  AppliedBatch applied;
  const Status stored = session_.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(MovePositions(transaction, cluster_id_, moves));
    TOCSIN_CHECK_OK(StoreRows(transaction, cluster_id_, batch, applied));
    if (TOCSIN_FAILS_AT("project")) return Fail(ErrorCode::kPostgresUnavailable, "failpoint");
    return {};
  });
  if (!stored) {
    // The commit may have succeeded, or another process may have moved a position: read them again.
    for (const auto& [partition, move] : moves) next_.erase(partition);
    return stored;
  }
  for (const auto& [partition, move] : moves) {
    next_[partition] = move.to;
    applied.next[partition] = move.to;
  }
  applied.records = std::move(batch.counts);
  for (const UnparsedRow& row : batch.unparsed) applied.unparsed.push_back(PositionOf(row));
  if (listener_) listener_(applied);
  return {};
}

Result<size_t> Projection::MatchCallbacks(WallTime now) {
  size_t matched = 0;
  const Status done = session_.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(DeleteOldUnmatched(transaction, now));
    TOCSIN_TRY(std::vector<AlertEventRow> events, MatchRecent(transaction, now));
    SortUnique(events);
    TOCSIN_TRY(const NewEvents added, InsertAlertEvents(transaction, events));
    matched = added.count;
    TOCSIN_CHECK_OK(WriteAlerts(transaction, added, {}, events));
    return {};
  });
  TOCSIN_CHECK_OK(done);
  return matched;
}

Status Projection::EnsurePartitions(WallTime now) {
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
