// Publishes records to Kafka.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/outgoing_record.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

struct IncomingRecord {
  records::v1::Position position;
  std::string key;
  std::string value;
  RecordHeaders headers;
  WallTime append_time;  // the record's timestamp; set by the broker on delay topics
  // Appended before the reader was assigned the partition, or about then: another process may have
  // started it.
  bool predates_assignment = false;

  std::optional<std::string> Header(std::string_view name) const {
    for (const auto& [header, text] : headers)
      if (header == name) return text;
    return std::nullopt;
  }
};

// kPersisted: on disk (acks=all). kNotPersisted: certainly not in the log; safe to publish again.
// kUnknown: may be in the log.
enum class PublishOutcome { kPersisted, kNotPersisted, kUnknown };

struct PublishReport {
  PublishOutcome outcome = PublishOutcome::kUnknown;
  records::v1::Position position;  // when persisted
  std::string error;               // when not
};

class RecordLog {
 public:
  virtual ~RecordLog() = default;

  // Queues the record and calls `report` once, within the publish timeout (twice that and 2 s if
  // the log must replace its client), on a thread of the log or, if the queue is full
  // (kNotPersisted), on the caller's. Never blocks; `report` must not block either. Records with
  // the same topic and key keep their order if the topic does (Topics::KeepsKeyOrder). Safe to use
  // from several threads.
  virtual void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) = 0;

  // Publishes all and blocks until every report, see Publish(). Returns the positions in the order
  // of `records`. Fails with kKafkaUnavailable if one record is not persisted, kOutcomeUnknown if
  // one is unknown.
  Result<std::vector<records::v1::Position>> PublishAndWait(std::vector<OutgoingRecord> records);

  // The same without blocking. The log must report on the thread of the task.
  Task<Result<std::vector<records::v1::Position>>> PublishAll(std::vector<OutgoingRecord> records);
};

}  // namespace tocsin
