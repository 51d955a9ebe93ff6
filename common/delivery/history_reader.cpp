#include "common/delivery/history_reader.h"

#include <utility>

namespace tocsin {
namespace {

// Keeps the records of one alert.
RecordHistory::Handle KeepIn(std::vector<IncomingRecord>& records, const std::string& alert_id) {
  return [&records, &alert_id](const IncomingRecord& record) {
    if (record.key == alert_id) records.push_back(record);
  };
}

}  // namespace

Task<Result<std::vector<IncomingRecord>>> HistoryReader::ReadTo(std::string alert_id,
                                                                records::v1::Position last,
                                                                WallTime from,
                                                                SteadyTime deadline) {
  const auto read = [this, id = std::move(alert_id), position = std::move(last), from,
                     deadline]() -> Result<std::vector<IncomingRecord>> {
    std::vector<IncomingRecord> records;
    TOCSIN_CHECK_OK(history_.ReadTo(position, from, deadline, KeepIn(records, id)));
    return records;
  };
  co_return co_await RunBlocking(emergency_pool_, scheduler_, read);
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
