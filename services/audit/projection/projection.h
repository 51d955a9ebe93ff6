// Projects batches of records into PostgreSQL. All rows of a batch and the positions are stored in
// one transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/record_log.h"
#include "common/postgres/session.h"
#include "services/audit/projection/alert_writer.h"
#include "services/audit/projection/record_decoder.h"

namespace tocsin::audit {

// Enough that no record misses its partition even if maintenance fails for weeks.
constexpr int kMonthsAhead = 2;

// What a committed batch changed.
struct AppliedBatch {
  std::map<PartitionKey, std::int64_t> next;  // offset to read next
  std::map<TopicKind, size_t> records;
  std::vector<records::v1::Position> unparsed;
  size_t new_events = 0;
  AlertIds changed;
};

// For one thread at a time. Every method blocks for the statements of a transaction
// (postgres::kStatementTimeout each).
class Projection {
 public:
  Projection(postgres::Options database, std::string cluster_id, ProjectedTopics topics);

  // `listener` is called after each commit, on the thread of Apply(); it must not block.
  void OnApplied(std::function<void(const AppliedBatch&)> listener) {
    listener_ = std::move(listener);
  }

  // The offset to read next; nothing if the partition was never projected.
  Result<std::optional<std::int64_t>> NextOffset(const std::string& topic, std::int32_t partition);

  // Fails with kOutcomeUnknown if a position is lower than NextOffset() or the last Apply() left
  // it: PostgreSQL lost commits. Call NextOffset() again.
  Status CheckPositions();

  // Stores the whole batch or nothing. Positions move from where NextOffset() or the last Apply()
  // left them. Fails with kOutcomeUnknown if another process moved one of them: call NextOffset()
  // again. A record that PostgreSQL refuses is stored as unparsed and does not block the others.
  // Idempotent.
  Status Apply(std::span<const IncomingRecord> records);

  // Matches callbacks whose attempt was stored at the same time, and deletes those that no attempt
  // matched within kUnmatchedLifetime. Returns the number of new events.
  Result<size_t> MatchCallbacks(WallTime now);

  // Creates the partitions from the month before `now` to kMonthsAhead months after it. Idempotent.
  Status EnsurePartitions(WallTime now);

 private:
  Status Store(Batch batch);

  postgres::Session session_;
  const std::string cluster_id_;
  const ProjectedTopics topics_;
  std::function<void(const AppliedBatch&)> listener_;
  std::map<PartitionKey, std::optional<std::int64_t>> next_;
};

}  // namespace tocsin::audit
