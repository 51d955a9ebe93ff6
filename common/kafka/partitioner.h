// Which partition a key belongs to.
#pragma once

#include <cstdint>
#include <string_view>

namespace tocsin::kafka {

// Every producer of Tocsin uses this one (librdkafka's "murmur2", the same as Kafka's Java client),
// so who knows a key and a topic's count of partitions knows where its records are. `partitions` is
// positive.
std::int32_t PartitionFor(std::string_view key, std::int32_t partitions);

}  // namespace tocsin::kafka
