#include "common/kafka/partitioner.h"

#include <librdkafka/rdkafka.h>

namespace tocsin::kafka {

std::int32_t PartitionFor(std::string_view key, std::int32_t partitions) {
  // The function looks at key and count only; a topic handle is part of its type, not of its work.
  return rd_kafka_msg_partitioner_murmur2(nullptr, key.data(), key.size(), partitions, nullptr,
                                          nullptr);
}

}  // namespace tocsin::kafka
