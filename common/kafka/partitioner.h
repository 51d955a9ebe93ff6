// The partition of a record.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "common/base/time.h"

namespace tocsin::kafka {

// The partition to which every producer of Tocsin publishes records with this key (librdkafka's
// "murmur2", the default of Kafka's Java client). `partitions`: the topic's number of partitions;
// positive.
std::int32_t PartitionFor(std::string_view key, std::int32_t partitions);

// How long a producer publishes the records of a topic without key order to the same partition. One
// request then contains all records of that time; with a partition per key it contains few, and the
// broker's cost is that of its requests.
constexpr std::chrono::milliseconds kPartitionSlot{3};

// The partition of the time slot of `now`: the partitions take turns. `first` shifts the turns, so
// that processes use different partitions at the same time. `partitions` is positive.
std::int32_t PartitionOfSlot(SteadyTime now, std::uint32_t first, std::int32_t partitions);

}  // namespace tocsin::kafka
