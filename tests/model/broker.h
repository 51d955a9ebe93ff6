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

struct Partition;

// What a consumer group reads of a partition. Its group is that of the SMS worker, of the voice
// worker, or, of a delay topic, that of both (CHANNEL_UNSPECIFIED).
struct Subscription {
  size_t number;
  Place place;
  v1::Channel group;
  const Partition& partition;
  std::int64_t committed = 0;
};

struct Partition {
  std::vector<IncomingRecord> records;
  std::vector<Subscription*> subscriptions;
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

  std::function<void(const Partition&, const IncomingRecord&)> on_append =
      [](const Partition&, const IncomingRecord&) {};

 private:
  const Timeline& timeline_;
  Dice& dice_;
  const Topics& topics_;
  std::map<Place, Partition> partitions_;
};

}  // namespace tocsin::model
