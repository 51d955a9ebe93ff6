// Messages, calls and create attempts as JSON lines.
#pragma once

#include <cstdint>
#include <string>

#include "tools/twilio-sim/state.h"

namespace tocsin::sim {

enum class RecordKind { kMessages, kRequests, kCalls, kCallRequests };

struct RecordBatch {
  std::string lines = {};     // one line per record
  std::uint64_t dropped = 0;  // number of records that are no longer kept
};

// At most `limit` records with numbers above `after`. Locks the state for some records at a time.
RecordBatch ReadRecords(State& state, RecordKind kind, std::uint64_t after, std::uint64_t limit);

}  // namespace tocsin::sim
