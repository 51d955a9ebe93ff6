// The partition of a key.
#pragma once

#include <cstdint>
#include <string_view>

namespace tocsin::kafka {

// The partition to which every producer of Tocsin publishes records with this key (librdkafka's
// "murmur2", the default of Kafka's Java client). `partitions`: the topic's number of partitions;
// positive.
std::int32_t PartitionFor(std::string_view key, std::int32_t partitions);

}  // namespace tocsin::kafka
