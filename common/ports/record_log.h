// Publishing records and reading them: what the core needs of Kafka.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin {

using RecordHeaders = std::vector<std::pair<std::string, std::string>>;

struct OutgoingRecord {
  std::string topic;
  std::string key;
  std::string value;
  RecordHeaders headers;
};

struct IncomingRecord {
  v1::Position position;
  std::string key;
  std::string value;
  RecordHeaders headers;
  WallTime append_time;  // the record's time stamp; the broker's on delay topics
  // In the log before its reader had the partition, or about then: another may have begun it.
  bool inherited = false;

  std::optional<std::string> Header(std::string_view name) const {
    for (const auto& [header, text] : headers)
      if (header == name) return text;
    return std::nullopt;
  }
};

// kPersisted: on disk by acks=all. kNotPersisted: certainly not in the log; safe to publish again.
// kUnknown: may or may not be there.
enum class PublishOutcome { kPersisted, kNotPersisted, kUnknown };

struct PublishReport {
  PublishOutcome outcome = PublishOutcome::kUnknown;
  v1::Position position;  // when persisted
  std::string why;        // when not
};

class RecordLog {
 public:
  virtual ~RecordLog() = default;

  // Takes the record and answers by `report`, exactly once, within the delivery time-out, on a
  // thread of the log or (when the queue is full: kNotPersisted) on the caller's. Never blocks;
  // `report` must not block. Records with the same topic and key keep their order. Safe to call
  // from several threads.
  virtual void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) = 0;

  // Publishes all and waits for every report, at most the delivery time-out and a second. Positions
  // in the order given. Fails with kKafkaUnavailable when one is not persisted, kOutcomeUnknown
  // when one is unknown.
  Result<std::vector<v1::Position>> PublishAndWait(std::vector<OutgoingRecord> records);
};

}  // namespace tocsin
