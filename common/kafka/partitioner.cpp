#include "common/kafka/partitioner.h"

#include <librdkafka/rdkafka.h>

namespace tocsin::kafka {

std::int32_t PartitionFor(std::string_view key, std::int32_t partitions) {
  // Uses only the key and the number of partitions; the other arguments may be null.
  return rd_kafka_msg_partitioner_murmur2(nullptr, key.data(), key.size(), partitions, nullptr,
                                          nullptr);
}

std::int32_t PartitionOfSlot(SteadyTime now, std::uint32_t first, std::int32_t partitions) {
  const auto slot = static_cast<std::uint64_t>(now.time_since_epoch() / kPartitionSlot) + first;
  return static_cast<std::int32_t>(slot % static_cast<std::uint64_t>(partitions));
}

}  // namespace tocsin::kafka
