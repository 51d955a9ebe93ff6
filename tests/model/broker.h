// The log of the simulated broker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/record_log.h"
#include "common/ports/topics.h"
#include "tests/model/timeline.h"

namespace tocsin::model {

using Place = std::pair<std::string, std::int32_t>;  // topic, partition

struct Partition {
  std::vector<IncomingRecord> records;
  std::int64_t committed = 0;  // each topic is read by one group
};

class Broker {
 public:
  static constexpr std::int32_t kPartitions = 2;  // per topic; few, so that alerts share partitions

  Broker(const Timeline& timeline, Dice& dice, const Topics& topics)
      : timeline_(timeline), dice_(dice), topics_(topics) {}

  static std::int32_t PartitionOf(const std::string& key);  // of topics that keep key order

  // A record of a topic without key order goes to a partition that is drawn.
  records::v1::Position Append(const OutgoingRecord& record);
  Partition& At(const Place& place) { return partitions_[place]; }
  const std::map<Place, Partition>& All() const { return partitions_; }

  std::function<void(const IncomingRecord&)> on_append = [](const IncomingRecord&) {};

 private:
  const Timeline& timeline_;
  Dice& dice_;
  const Topics& topics_;
  std::map<Place, Partition> partitions_;
};

}  // namespace tocsin::model
