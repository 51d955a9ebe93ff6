// The part of the log that was read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// Of each partition the offsets from the first to the last record of one reading, which reads all
// records between them. Timestamps would not suffice: records are appended during the reading, and
// with older timestamps.
class ReadOffsets {
 public:
  void Add(const records::v1::Position& position) {
    const std::int64_t offset = position.offset();
    const auto [range, added] =
        ranges_.try_emplace({position.topic(), position.partition()}, std::pair(offset, offset));
    if (!added) range->second.second = std::max(range->second.second, offset);
  }

  bool Contains(const records::v1::Position& position) const {
    const auto range = ranges_.find({position.topic(), position.partition()});
    return range != ranges_.end() && position.offset() >= range->second.first &&
           position.offset() <= range->second.second;
  }

 private:
  std::map<std::pair<std::string, std::int32_t>, std::pair<std::int64_t, std::int64_t>> ranges_;
};

}  // namespace tocsin
