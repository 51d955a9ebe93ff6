#include "common/delivery/loop_record_log.h"

#include <utility>

namespace tocsin {

void LoopRecordLog::Publish(OutgoingRecord record,
                            std::function<void(const PublishReport&)> report) {
  InFlight& in_flight = in_flight_[record.key];
  if (in_flight.count == 0) in_flight.log = records_ < kBatchFrom ? &immediate_ : &batching_;
  ++in_flight.count;
  ++records_;
  RecordLog& log = *in_flight.log;
  std::string key = record.key;
  log.Publish(std::move(record),
              [this, key = std::move(key), done = std::move(report)](const PublishReport& result) {
                scheduler_.Post([this, key, done, result] {
                  Finish(key);
                  done(result);
                });
              });
}

void LoopRecordLog::Finish(const std::string& key) {
  --records_;
  const auto in_flight = in_flight_.find(key);
  if (--in_flight->second.count == 0) in_flight_.erase(in_flight);
}

}  // namespace tocsin
