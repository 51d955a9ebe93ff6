// Where work waits that is not due yet (pure).
#pragma once

#include <string>

#include "common/base/time.h"
#include "common/domain/topics.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// The next stop of a work record: its lane when it is due, else the delay topic of the largest tier
// that fits its remaining wait; less than the smallest tier waits in that one.
std::string NextStop(const Topics& topics, const v1::WorkRecord& work, WallTime now);

// When a record that entered `tier` at `appended` is to move on: after the tier's residence, or
// when it is due, whichever comes first.
WallTime MovesOn(DelayTier tier, WallTime appended, const v1::WorkRecord& work);

// Not before this: the later of its own due time and the caller's send_at.
WallTime DueTime(const v1::WorkRecord& work);

}  // namespace tocsin
