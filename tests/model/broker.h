// The log as the broker holds it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/record_log.h"
#include "tests/model/timeline.h"

namespace tocsin::model {

using Place = std::pair<std::string, std::int32_t>;  // topic, partition

struct Partition {
  std::vector<IncomingRecord> records;
  std::int64_t committed = 0;  // one group reads each topic
};

class Broker {
 public:
  static constexpr std::int32_t kPartitions = 2;  // of each topic: few, so that records meet

  explicit Broker(const Timeline& timeline) : timeline_(timeline) {}

  static std::int32_t PartitionOf(const std::string& key);

  v1::Position Append(const OutgoingRecord& record);
  Partition& At(const Place& place) { return partitions_[place]; }
  const std::map<Place, Partition>& All() const { return partitions_; }

  std::function<void(const IncomingRecord&)> appended = [](const IncomingRecord&) {};

 private:
  const Timeline& timeline_;
  std::map<Place, Partition> partitions_;
};

}  // namespace tocsin::model
