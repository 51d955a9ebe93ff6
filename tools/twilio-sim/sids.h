// SIDs in Twilio's format: two letters and 32 lower-case hex digits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/twilio-sim/random.h"

namespace tocsin::sim {

constexpr size_t kSidLength = 34;

// The prefix and 32 hex digits of either case, as in Twilio's OpenAPI description.
bool IsSid(std::string_view text, std::string_view prefix);

// The SID of an object is its number, permuted with the seed. So no index of SIDs is needed, and
// the same seed gives the same SIDs.
std::string SidOf(const SeededRandom& random, std::string_view prefix, std::uint64_t number);

// The inverse of SidOf() for any prefix. Nothing if it is not a SID of this seed.
std::optional<std::uint64_t> NumberOf(const SeededRandom& random, std::string_view sid);

std::string Hex16(std::uint64_t value);  // 16 lower-case digits

}  // namespace tocsin::sim
