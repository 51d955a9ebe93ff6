#include "tests/model/broker.h"

namespace tocsin::model {

std::int32_t Broker::PartitionOf(const std::string& key) {
  std::uint32_t hash = 2166136261U;  // FNV-1a: the same on every machine
  for (const char letter : key) hash = (hash ^ static_cast<std::uint8_t>(letter)) * 16777619U;
  return static_cast<std::int32_t>(hash % kPartitions);
}

records::v1::Position Broker::Append(const OutgoingRecord& record) {
  const std::int32_t number = topics_.KeepsKeyOrder(record.topic)
                                  ? PartitionOf(record.key)
                                  : static_cast<std::int32_t>(dice_.Below(kPartitions));
  Partition& partition = partitions_[{record.topic, number}];
  IncomingRecord& written = partition.records.emplace_back();
  written.position.set_topic(record.topic);
  written.position.set_partition(number);
  written.position.set_offset(static_cast<std::int64_t>(partition.records.size()) - 1);
  written.key = record.key;
  written.value = record.value;
  written.headers = record.headers;
  written.append_time = timeline_.Now();
  const records::v1::Position position = written.position;
  on_append(partition, IncomingRecord(written));
  return position;
}

}  // namespace tocsin::model
