// Which topic holds work that is not due yet (pure). R3
#pragma once

#include <string>

#include "common/base/time.h"
#include "common/ports/topics.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// The topic a work record is published to: its lane if it is due, otherwise the delay topic of the
// largest tier that is not longer than the remaining delay. Delays below the smallest tier use the
// smallest tier.
std::string NextTopic(const Topics& topics, const records::v1::WorkRecord& work, WallTime now);

// When a record that was appended to a delay topic at `append_time` leaves it: after the residence
// time of the tier, or when it is due, whichever is earlier.
WallTime LeaveTime(DelayTier tier, WallTime append_time, const records::v1::WorkRecord& work);

}  // namespace tocsin
