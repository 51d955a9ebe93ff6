#include "common/domain/segments.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace tocsin {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

// The basic character set beside ASCII letters, digits and signs, and the ASCII signs that are not
// in it.
constexpr std::u32string_view kGsmBeyondAscii = U"£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
constexpr std::u32string_view kGsmTwoSeptets = U"^{}\\[~]|€\f";
constexpr std::u32string_view kAsciiNotInGsm = U"`\t";

// Reads one code point and moves on; kReplacement and one byte for what is not UTF-8 (RFC 3629).
char32_t NextCodePoint(std::string_view text, size_t& at, bool& valid) {
  const auto byte = [&](size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(at);
  const size_t length = lead < 0x80                   ? 1
                        : lead >= 0xF0 && lead < 0xF5 ? 4
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xC2 && lead < 0xE0 ? 2
                                                      : 0;
  char32_t point = length == 1 ? lead : lead & (0xFF >> (length + 1));
  bool good = length != 0 && at + length <= text.size();
  for (size_t i = 1; good && i < length; ++i) {
    good = (byte(at + i) & 0xC0) == 0x80;
    point = (point << 6) | (byte(at + i) & 0x3F);
  }
  if (good &&
      ((length == 3 && point < 0x800) || (length == 4 && (point < 0x10000 || point > 0x10FFFF)) ||
       (point >= 0xD800 && point <= 0xDFFF)))
    good = false;
  at += good ? length : 1;
  valid = valid && good;
  return good ? point : kReplacement;
}

// Septets of a character in GSM-7; 0 when it is not in the alphabet.
unsigned Septets(char32_t c) {
  if (kGsmTwoSeptets.find(c) != std::u32string_view::npos) return 2;
  if (c == U'\n' || c == U'\r') return 1;
  if (c >= 0x20 && c < 0x7F) return kAsciiNotInGsm.find(c) == std::u32string_view::npos ? 1 : 0;
  return kGsmBeyondAscii.find(c) != std::u32string_view::npos ? 1 : 0;
}

// Fills segments of `room` with characters of one or two units each; none is split.
unsigned Fill(const std::vector<std::uint8_t>& sizes, unsigned room) {
  unsigned segments = 1;
  unsigned used = 0;
  for (const std::uint8_t size : sizes) {
    if (used + size > room) {
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

bool IsValidUtf8(std::string_view text) {
  bool valid = true;
  for (size_t at = 0; at < text.size() && valid;) NextCodePoint(text, at, valid);
  return valid;
}

}  // namespace tocsin
