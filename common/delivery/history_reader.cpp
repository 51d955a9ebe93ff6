#include "common/delivery/history_reader.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>
#include <unordered_map>
#include <utility>

namespace tocsin {
namespace {

// Keeps the records of one alert.
RecordHistory::Handle KeepIn(std::vector<IncomingRecord>& records, const std::string& alert_id) {
  return [&records, &alert_id](const IncomingRecord& record) {
    if (record.key == alert_id) records.push_back(record);
  };
}

// What ReadTo() returns to each of several calls.
class SharedReading {
 public:
  void Add(const std::string& alert_id, const records::v1::Position& last, WallTime from,
           SteadyTime deadline) {
    if (last_.offset() <= last.offset()) last_ = last;
    from_ = std::min(from_, from);
    deadline_ = std::max(deadline_, deadline);
    calls_of_[alert_id].push_back(calls_.size());
    calls_.push_back({.last_offset = last.offset()});
  }
  // Blocks.
  Status Read(RecordHistory& history) {
    return history.ReadTo(last_, from_, deadline_, [this](const IncomingRecord& record) {
      const auto calls = calls_of_.find(record.key);
      if (calls == calls_of_.end()) return;
      for (const std::size_t call : calls->second)
        if (record.position.offset() <= calls_[call].last_offset)
          calls_[call].records.push_back(record);
    });
  }
  // Of the call that was added as number `call`, from 0 on.
  std::vector<IncomingRecord> TakeRecords(std::size_t call) {
    return std::move(calls_[call].records);
  }

 private:
  struct Call {
    std::int64_t last_offset;
    std::vector<IncomingRecord> records = {};
  };

  records::v1::Position last_;
  WallTime from_ = WallTime::max();
  SteadyTime deadline_ = SteadyTime::min();
  std::vector<Call> calls_;
  std::unordered_map<std::string, std::vector<std::size_t>> calls_of_;  // by alert
};

}  // namespace

Task<Result<std::vector<IncomingRecord>>> HistoryReader::ReadTo(std::string alert_id,
                                                                records::v1::Position last,
                                                                WallTime from,
                                                                SteadyTime deadline) {
  const auto start = [&](Callback<Result<std::vector<IncomingRecord>>> done) {
    const auto [entry, idle] = waiting_.try_emplace(GroupOf(last, from));
    entry->second.push_back({std::move(alert_id), last, from, deadline, std::move(done)});
    if (idle) tasks_.Start(Serve(entry->first));
  };
  co_return co_await AwaitCallback<Result<std::vector<IncomingRecord>>>(start);
}

HistoryReader::Group HistoryReader::GroupOf(const records::v1::Position& last,
                                            WallTime from) const {
  const auto age = std::chrono::floor<std::chrono::minutes>(clock_.Now() - from).count();
  return {last.topic(), last.partition(),
          std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(age, 0)))};
}

Task<void> HistoryReader::Serve(Group group) {
  for (;;) {
    std::vector<Reading> readings = std::exchange(waiting_[group], {});
    std::erase_if(readings, [](const Reading& reading) { return reading.done.Abandoned(); });
    if (readings.empty()) break;
    const auto shared = std::make_shared<SharedReading>();
    for (const Reading& reading : readings)
      shared->Add(reading.alert_id, reading.last, reading.from, reading.deadline);
    const auto read = [this, shared] { return shared->Read(history_); };
    const Status done = co_await RunBlocking(emergency_pool_, scheduler_, read);
    for (std::size_t i = 0; i < readings.size(); ++i) {
      if (done)
        readings[i].done(shared->TakeRecords(i));
      else
        readings[i].done(Fail(done.error()));
    }
  }
  waiting_.erase(group);
}

Task<Result<std::vector<IncomingRecord>>> HistoryReader::ReadAll(std::string alert_id,
                                                                 std::string topic, WallTime from,
                                                                 SteadyTime deadline) {
  const auto read = [this, id = std::move(alert_id), name = std::move(topic), from,
                     deadline]() -> Result<std::vector<IncomingRecord>> {
    std::vector<IncomingRecord> records;
    TOCSIN_CHECK_OK(history_.ReadKey(name, id, from, deadline, KeepIn(records, id)));
    return records;
  };
  co_return co_await RunBlocking(pool_, scheduler_, read);
}

Task<Result<std::optional<IncomingRecord>>> HistoryReader::At(records::v1::Position position) {
  const auto read = [this, where = std::move(position)] { return history_.At(where); };
  co_return co_await RunBlocking(pool_, scheduler_, read);
}

}  // namespace tocsin
