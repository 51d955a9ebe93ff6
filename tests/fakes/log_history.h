// Reads back what was published to a FakeRecordLog, and older records.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/alert_history.h"
#include "tests/fakes/record_log.h"

namespace tocsin {

// One partition: a record's offset is its index in the log.
class LogHistory final : public AlertHistory {
 public:
  explicit LogHistory(const FakeRecordLog& log) : log_(log) {}

  Task<Result<std::vector<IncomingRecord>>> ReadTo(std::string alert_id, records::v1::Position last,
                                                   WallTime, SteadyTime) override {
    if (unavailable) co_return Fail(ErrorCode::kKafkaUnavailable, "the log is unavailable");
    const std::vector<OutgoingRecord> published = log_.Records();
    std::vector<IncomingRecord> records;
    for (std::size_t i = 0; i < published.size(); ++i) {
      if (published[i].topic != last.topic() || published[i].key != alert_id) continue;
      if (static_cast<std::int64_t>(i) > last.offset()) continue;
      IncomingRecord record;
      record.position.set_topic(last.topic());
      record.position.set_offset(static_cast<std::int64_t>(i));
      record.key = published[i].key;
      record.value = published[i].value;
      records.push_back(std::move(record));
    }
    co_return records;
  }

  Task<Result<std::vector<IncomingRecord>>> ReadAll(std::string alert_id, std::string topic,
                                                    WallTime from, SteadyTime deadline) override {
    records::v1::Position end;
    end.set_topic(topic);
    end.set_offset(static_cast<std::int64_t>(log_.Records().size()));
    co_return co_await ReadTo(alert_id, end, from, deadline);
  }

  Task<Result<std::optional<IncomingRecord>>> At(records::v1::Position position) override {
    for (const IncomingRecord& record : older)
      if (record.position.SerializeAsString() == position.SerializeAsString())
        co_return std::optional(record);
    co_return std::optional<IncomingRecord>();
  }

  std::vector<IncomingRecord> older;  // which At() returns
  bool unavailable = false;

 private:
  const FakeRecordLog& log_;
};

}  // namespace tocsin
