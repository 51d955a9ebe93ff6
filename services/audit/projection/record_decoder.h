// Decodes Kafka records into the rows that are stored for them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/ports/record_log.h"
#include "common/ports/topics.h"
#include "services/audit/projection/rows.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::audit {

constexpr size_t kUnparsedBytes = 64 * 1024;  // stored of a record that could not be parsed

// The kinds of topics that audit reads; also the values of the metric label `topic_kind`.
enum class TopicKind { kSmsLane, kVoiceLane, kEvents, kWebhooks, kSmsDead, kVoiceDead };
constexpr std::array<std::string_view, 6> kTopicKinds{"sms_lane", "voice_lane", "events",
                                                      "webhooks", "sms_dead",   "voice_dead"};
std::string_view NameOf(TopicKind kind);

// The topics that audit reads, with their kinds. Immutable, thread-safe.
class ProjectedTopics {
 public:
  explicit ProjectedTopics(const Topics& topics);
  std::optional<TopicKind> KindOf(const std::string& topic) const;
  std::vector<std::string> Names() const;

 private:
  std::map<std::string, TopicKind> kinds_;
};

using PartitionKey = std::pair<std::string, std::int32_t>;  // topic, partition

using WebhooksByKey = std::map<std::pair<std::string, std::string>, records::v1::WebhookRecord>;

// What one transaction stores. Rows are sorted by key, so that all transactions lock in the same
// order.
struct Batch {
  std::map<PartitionKey, std::pair<std::int64_t, std::int64_t>> offsets;  // first, last + 1
  std::map<std::string, AlertTerms> alerts;                               // by alert_id
  std::vector<AlertEventRow> alert_events;
  WebhooksByKey webhooks;  // by partition_key and webhook_id
  std::vector<DeadLetterRow> dead_letters;
  std::map<std::string, WrappedKeyRow> keys;  // by dek_id
  std::vector<UnparsedRow> unparsed;
  std::map<TopicKind, size_t> counts;  // records
};

// Adds what `other` states to `terms`. The result does not depend on the order of calls: an
// acceptance replaces everything else, and of two acceptances the earlier one wins. Returns whether
// `terms` changed.
bool Merge(const AlertTerms& other, AlertTerms& terms);

// The value of column `labels`. U+0000, which jsonb cannot store, is removed.
std::string LabelsJson(const google::protobuf::Map<std::string, std::string>& labels);

UnparsedRow MakeUnparsedRow(const IncomingRecord& record, std::string reason);

// Every record adds its offset to the batch, and its rows or an unparsed row. A record of a topic
// that is not projected adds its offset only.
Batch DecodeRecords(std::span<const IncomingRecord> records, const ProjectedTopics& topics);

// Sorts by key. Of rows with equal keys it keeps the first: of a repeated event the one that is
// earlier in the log, as if the records were in two batches.
void SortUnique(std::vector<AlertEventRow>& rows);

}  // namespace tocsin::audit
