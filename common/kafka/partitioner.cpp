#include "common/kafka/partitioner.h"

#include <librdkafka/rdkafka.h>

namespace tocsin::kafka {

std::int32_t PartitionFor(std::string_view key, std::int32_t partitions) {
  // Uses only the key and the number of partitions; the other arguments may be null.
  return rd_kafka_msg_partitioner_murmur2(nullptr, key.data(), key.size(), partitions, nullptr,
                                          nullptr);
}

}  // namespace tocsin::kafka
