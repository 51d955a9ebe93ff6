// Reads back what was published to a FakeRecordLog, and older records.
#pragma once

#include "tests/fakes/record_history.h"
#include "tests/fakes/record_log.h"

namespace tocsin {

// One partition: a record's offset is its index in the log.
class LogHistory final : public RecordHistory {
 public:
  explicit LogHistory(const FakeRecordLog& log) : log_(log) {}

  Status Read(const std::vector<std::string>& topics, WallTime from, const Handle& handle,
              std::stop_token stop) override {
    return older.Read(topics, from, handle, std::move(stop));
  }

  Status ReadTo(const records::v1::Position& last, WallTime, SteadyTime,
                const Handle& handle) override {
    if (unavailable) return Fail(ErrorCode::kKafkaUnavailable, "the log is unavailable");
    const std::vector<OutgoingRecord> records = log_.Records();
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].topic != last.topic() || static_cast<std::int64_t>(i) > last.offset())
        continue;
      IncomingRecord record;
      record.position.set_topic(last.topic());
      record.position.set_offset(static_cast<std::int64_t>(i));
      record.key = records[i].key;
      record.value = records[i].value;
      handle(record);
    }
    return {};
  }

  Status ReadKey(const std::string& topic, const std::string&, WallTime from, SteadyTime deadline,
                 const Handle& handle) override {
    records::v1::Position end;
    end.set_topic(topic);
    end.set_offset(static_cast<std::int64_t>(log_.Records().size()));
    return ReadTo(end, from, deadline, handle);
  }

  Result<std::optional<IncomingRecord>> At(const records::v1::Position& position) override {
    return older.At(position);
  }

  FakeRecordHistory older;
  bool unavailable = false;

 private:
  const FakeRecordLog& log_;
};

}  // namespace tocsin
