#include "common/domain/message/segments.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "common/domain/message/utf8.h"

namespace tocsin {
namespace {

// The basic character set apart from ASCII letters, digits and signs, and the ASCII signs that are
// not in it.
constexpr std::u32string_view kGsmBeyondAscii = U"£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
constexpr std::u32string_view kGsmTwoSeptets = U"^{}\\[~]|€\f";
constexpr std::u32string_view kAsciiNotInGsm = U"`\t";

// Septets of a character in GSM-7; 0 if it is not in the alphabet.
unsigned Septets(char32_t c) {
  if (kGsmTwoSeptets.find(c) != std::u32string_view::npos) return 2;
  if (c == U'\n' || c == U'\r') return 1;
  if (c >= 0x20 && c < 0x7F) return kAsciiNotInGsm.find(c) == std::u32string_view::npos ? 1 : 0;
  return kGsmBeyondAscii.find(c) != std::u32string_view::npos ? 1 : 0;
}

// Fills segments of `capacity` units with characters of one or two units; none is split.
unsigned Fill(const std::vector<std::uint8_t>& sizes, unsigned capacity) {
  unsigned segments = 1;
  unsigned used = 0;
  for (const std::uint8_t size : sizes) {
    if (used + size > capacity) {
      ++segments;
      used = 0;
    }
    used += size;
  }
  return segments;
}

}  // namespace

SegmentInfo CountSegments(std::string_view utf8) {
  SegmentInfo info;
  std::vector<std::uint8_t> septets;
  std::vector<std::uint8_t> utf16;
  unsigned septet_sum = 0;
  unsigned utf16_sum = 0;
  bool gsm = true;
  bool valid = true;
  for (size_t at = 0; at < utf8.size();) {
    const char32_t c = NextCodePoint(utf8, at, valid);
    ++info.characters;
    const unsigned s = Septets(c);
    const unsigned u = c > 0xFFFF ? 2 : 1;
    gsm = gsm && s != 0;
    septets.push_back(static_cast<std::uint8_t>(s));
    utf16.push_back(static_cast<std::uint8_t>(u));
    septet_sum += s;
    utf16_sum += u;
  }
  info.encoding = gsm ? SmsEncoding::kGsm7 : SmsEncoding::kUcs2;
  info.units = gsm ? septet_sum : utf16_sum;
  if (info.characters == 0) return info;
  const unsigned single = gsm ? 160 : 70;
  info.segments = info.units <= single ? 1 : Fill(gsm ? septets : utf16, gsm ? 153 : 67);
  return info;
}

}  // namespace tocsin
