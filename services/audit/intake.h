// From records as Kafka has them to what is to be stored of them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/domain/folding.h"
#include "common/domain/topics.h"
#include "common/ports/record_log.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::audit {

constexpr size_t kUnparsedBytes = 64 * 1024;  // kept of a record that cannot be read

// Where records come from; also the values of the metrics' label `topic_kind`.
enum class TopicKind { kSmsLane, kVoiceLane, kEvents, kWebhooks, kSmsDead, kVoiceDead };
constexpr std::array<std::string_view, 6> kTopicKinds{"sms_lane", "voice_lane", "events",
                                                      "webhooks", "sms_dead",   "voice_dead"};
std::string_view NameOf(TopicKind kind);

// The topics that audit folds, with their kinds. Immutable, thread-safe.
class FoldedTopics {
 public:
  explicit FoldedTopics(const Topics& topics);
  std::optional<TopicKind> KindOf(const std::string& topic) const;
  std::vector<std::string> Names() const;

 private:
  std::map<std::string, TopicKind> kinds_;
};

using PartitionKey = std::pair<std::string, std::int32_t>;  // topic, partition

// What records say of an alert as a whole. Empty strings and nothing: not said.
struct AlertRow {
  bool accepted = false;  // from the acceptance, which outranks what events say by the way
  std::string client_id;
  std::int16_t alert_class = 0;
  std::int16_t channel = 0;
  v1::RecipientRef recipient;
  std::string labels_json = "{}";
  std::vector<std::uint32_t> later_steps;
  std::int64_t accepted_us = 0;
  std::int64_t not_after_us = 0;
  std::int64_t send_at_us = 0;
};

// Keeps of two rows of one alert what is the same in whatever order they come: the acceptance, and
// of two acceptances the earlier. True when `into` changed.
bool Merge(const AlertRow& other, AlertRow& into);

struct AlertFact {
  std::string alert_id;
  Fact fact;
};

struct WrappedKeyRow {
  v1::WrappedKey key;
  std::string token;  // empty when it is nobody's
};

struct UnparsedRow {
  v1::Position position;
  std::string reason;  // in plain words, free of the record's content
  std::string head;    // the first kUnparsedBytes of the value
  std::int64_t bytes = 0;
};

// What one transaction stores. Ordered by id, so that two transactions take their locks in one
// order.
struct Batch {
  std::map<PartitionKey, std::pair<std::int64_t, std::int64_t>> offsets;  // first offset, last + 1
  std::map<std::string, AlertRow> alerts;                                 // by alert_id
  std::vector<AlertFact> facts;
  std::vector<v1::WebhookRecord> webhooks;
  std::vector<v1::DeadRecord> dead_letters;   // `position` is that of the letter itself
  std::map<std::string, WrappedKeyRow> keys;  // by dek_id
  std::vector<UnparsedRow> unparsed;
  std::map<TopicKind, size_t> counts;
};

// Labels as their column holds them; what jsonb cannot hold (U+0000) is left out.
std::string LabelsJson(const google::protobuf::Map<std::string, std::string>& labels);

// Every record leaves its offset and, when it can be read, its content. Records of topics that are
// not folded leave their offset only.
Batch Sort(std::span<const IncomingRecord> records, const FoldedTopics& topics);

}  // namespace tocsin::audit
