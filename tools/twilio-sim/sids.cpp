#include "tools/twilio-sim/sids.h"

#include <algorithm>

namespace tocsin::sim {
namespace {

constexpr size_t kPrefixLength = 2;
constexpr size_t kHalf = 16;

std::optional<unsigned> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

std::uint64_t ReadHex(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) value = value << 4 | *HexDigit(c);
  return value;
}

std::uint64_t High(const SeededRandom& random, std::uint64_t number) {
  return Mix(number ^ random.Key(Purpose::kSidHigh));
}
std::uint64_t Low(const SeededRandom& random, std::uint64_t high) {
  return Mix(high ^ random.Key(Purpose::kSidLow));
}

}  // namespace

bool IsSid(std::string_view text, std::string_view prefix) {
  return text.size() == kSidLength && text.starts_with(prefix) &&
         std::all_of(text.begin() + kPrefixLength, text.end(),
                     [](char c) { return HexDigit(c).has_value(); });
}

std::string Hex16(std::uint64_t value) {
  std::string text(kHalf, '0');
  for (size_t i = kHalf; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 0xF];
  return text;
}

std::string SidOf(const SeededRandom& random, std::string_view prefix, std::uint64_t number) {
  const std::uint64_t high = High(random, number);
  std::string sid(prefix);
  sid += Hex16(high);
  sid += Hex16(Low(random, high));
  return sid;
}

std::optional<std::uint64_t> NumberOf(const SeededRandom& random, std::string_view sid) {
  if (!IsSid(sid, sid.substr(0, kPrefixLength))) return std::nullopt;
  const std::uint64_t high = ReadHex(sid.substr(kPrefixLength, kHalf));
  if (ReadHex(sid.substr(kPrefixLength + kHalf)) != Low(random, high)) return std::nullopt;
  return Unmix(high) ^ random.Key(Purpose::kSidHigh);
}

}  // namespace tocsin::sim
