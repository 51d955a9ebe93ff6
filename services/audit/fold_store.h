// Folds batches of records into PostgreSQL: facts, tries, alerts, webhooks, keys and the positions,
// in one transaction, so that all of a batch is there or nothing.
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
#include "services/audit/alert_tables.h"
#include "services/audit/intake.h"

namespace tocsin::audit {

// How long back a callback without a try is joined to one: Twilio's callbacks are folded within 30
// days.
constexpr std::chrono::hours kOrphanLife{24 * 30};
// Two transactions that store an event and its callback at the same time do not see each other; the
// sweep looks again at callbacks this young.
constexpr std::chrono::minutes kOrphanSweepWindow{5};
// So many that upkeep which fails for weeks leaves no record without its month.
constexpr int kMonthsAhead = 2;
constexpr size_t kSweepLimit = 1'000;  // callbacks joined by one sweep

// What was stored, told after the commit.
struct Folded {
  std::map<PartitionKey, std::int64_t> next;  // the offset to read next
  std::map<TopicKind, size_t> records;
  std::vector<v1::Position> unparsed;
  size_t new_facts = 0;
  AlertIds changed;
};

// For one thread at a time; blocks for a transaction's statements (postgres::kStatementLimit each).
class FoldStore {
 public:
  FoldStore(postgres::Options database, std::string cluster_id, FoldedTopics topics);

  // Called after each commit, on the folding thread; must not block.
  void OnFolded(std::function<void(const Folded&)> told) { told_ = std::move(told); }

  // The offset to read next; nothing when the partition was never folded.
  Result<std::optional<std::int64_t>> Position(const std::string& topic, std::int32_t partition);

  // Stores the batch, or nothing of it. The store's positions are moved from where Position() or
  // the last Fold() left them; when another process moved them since: kOutcomeUnknown, and the
  // positions are to be read again. A record that PostgreSQL refuses is set aside as unparsed,
  // never in the way of the others. Folding the same records again changes nothing.
  Status Fold(std::span<const IncomingRecord> records);

  // Joins young callbacks to tries that became known beside them, and drops those past kOrphanLife.
  // Gives the number joined.
  Result<size_t> SweepOrphans(WallTime now);

  // Partitions for the month before `now`, its own and kMonthsAhead more. Safe to repeat.
  Status EnsureMonths(WallTime now);

 private:
  Status FoldBatch(Batch batch);
  Status SetAside(std::span<const IncomingRecord> records, const Error& error);

  postgres::Session session_;
  const std::string cluster_id_;
  const FoldedTopics topics_;
  std::function<void(const Folded&)> told_;
  std::map<PartitionKey, std::optional<std::int64_t>> next_;
};

}  // namespace tocsin::audit
