// Records of the past as the test sets them.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "common/ports/record_history.h"

namespace tocsin {

// `records` must be set before the first reading.
class FakeRecordHistory final : public RecordHistory {
 public:
  Status Read(const std::vector<std::string>& topics, WallTime from, const Handle& handle,
              std::stop_token stop) override {
    for (const IncomingRecord& record : records) {
      if (stop.stop_requested()) return Fail(ErrorCode::kKafkaUnavailable, "stopped");
      const bool wanted = std::ranges::find(topics, record.position.topic()) != topics.end();
      if (wanted && record.append_time >= from) handle(record);
    }
    return {};
  }

  Status ReadTo(const records::v1::Position& last, WallTime from, SteadyTime,
                const Handle& handle) override {
    if (unavailable) return Fail(ErrorCode::kKafkaUnavailable, "the log is unavailable");
    for (const IncomingRecord& record : records)
      if (record.position.topic() == last.topic() &&
          record.position.partition() == last.partition() &&
          record.position.offset() <= last.offset() && record.append_time >= from)
        handle(record);
    return {};
  }

  Status ReadKey(const std::string& topic, const std::string&, WallTime from, SteadyTime,
                 const Handle& handle) override {
    return Read({topic}, from, handle, {});
  }

  Result<std::optional<IncomingRecord>> At(const records::v1::Position& position) override {
    for (const IncomingRecord& record : records)
      if (record.position.SerializeAsString() == position.SerializeAsString())
        return std::optional(record);
    return std::optional<IncomingRecord>();
  }

  std::vector<IncomingRecord> records;
  bool unavailable = false;  // ReadTo() fails
};

}  // namespace tocsin
