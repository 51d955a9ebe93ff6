// The simulator's records as JSON lines.
#pragma once

#include <cstdint>
#include <string>

#include "tools/twilio-sim/state.h"

namespace tocsin::sim {

enum class Book { kMessages, kRequests, kCalls, kCallRequests };

struct BookPart {
  std::string lines = {};     // one for each record, its line end included
  std::uint64_t dropped = 0;  // the oldest, no longer kept
};

// At most `limit` records whose number is above `after`. Takes the state's lock, a part at a time.
BookPart ReadBook(State& state, Book book, std::uint64_t after, std::uint64_t limit);

}  // namespace tocsin::sim
