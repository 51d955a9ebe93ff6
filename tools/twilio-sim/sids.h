// Resource ids in Twilio's form: two letters and 32 lower-case hex digits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/twilio-sim/dice.h"

namespace tocsin::sim {

constexpr size_t kSidLength = 34;

// Prefix and 32 hex digits of either case, as Twilio's OpenAPI description has it.
bool IsSid(std::string_view text, std::string_view prefix);

// A message's SID is its number, scrambled with the seed: no index from SIDs to messages is needed,
// and the same seed gives the same SIDs.
std::string SidOf(const Dice& dice, std::string_view prefix, std::uint64_t number);

// The number whose SID this is under the same seed, whatever its prefix; nothing for foreign text.
std::optional<std::uint64_t> NumberOf(const Dice& dice, std::string_view sid);

std::string Hex16(std::uint64_t value);  // 16 lower-case digits

}  // namespace tocsin::sim
