#pragma once

#include <algorithm>

#include "common/base/time.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// When a work record may be processed: the later of its due time and the client's send time.
inline WallTime DueTime(const records::v1::WorkRecord& work) {
  return FromUnixMicros(std::max(work.due_time_us(), work.send_time_us()));
}

}  // namespace tocsin
