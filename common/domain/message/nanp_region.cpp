#include "common/domain/message/nanp_region.h"

#include <phonenumbers/phonenumberutil.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>

namespace tocsin {
namespace {

constexpr size_t kPrefixDigits = 6;
constexpr size_t kEntries = 8192;  // a power of two
constexpr std::uint32_t kLetterBits = 5;

// Prefix (20 bits) and two letters (5 bits each). 0 is an empty entry: no prefix starts with 0.
using Entry = std::atomic<std::uint32_t>;
std::array<Entry, kEntries> g_entries{};

std::string AskLibrary(std::string_view national) {
  namespace lib = i18n::phonenumbers;
  lib::PhoneNumber number;
  std::uint64_t digits = 0;
  std::from_chars(national.data(), national.data() + national.size(), digits);
  number.set_country_code(1);
  number.set_national_number(digits);
  std::string region;
  lib::PhoneNumberUtil::GetInstance()->GetRegionCodeForNumber(number, &region);
  return region == "ZZ" ? "US" : region;
}

std::uint32_t Packed(std::string_view region) {
  const auto letter = [&](size_t i) { return static_cast<std::uint32_t>(region[i] - 'A'); };
  return letter(0) << kLetterBits | letter(1);
}

std::string Unpacked(std::uint32_t letters) {
  const auto letter = [&](std::uint32_t bits) {
    return static_cast<char>('A' + (letters >> bits & ((1U << kLetterBits) - 1)));
  };
  return {letter(kLetterBits), letter(0)};
}

}  // namespace

std::string NanpRegion(std::string_view national) {
  std::uint32_t prefix = 0;
  std::from_chars(national.data(), national.data() + kPrefixDigits, prefix);
  Entry& entry = g_entries[prefix * 2654435761U % kEntries];  // Knuth's multiplicative hash
  const std::uint32_t held = entry.load(std::memory_order_relaxed);
  if (held != 0 && held >> (2 * kLetterBits) == prefix) return Unpacked(held);
  std::string region = AskLibrary(national);
  entry.store(prefix << (2 * kLetterBits) | Packed(region), std::memory_order_relaxed);
  return region;
}

}  // namespace tocsin
