#include "common/twilio/webhooks/keyword.h"

#include <algorithm>

namespace tocsin::twilio {
namespace {

constexpr size_t kMaxKeyword = 64;  // bytes

// One code point of well-formed UTF-8, or one byte of anything else.
char32_t ReadCodePoint(std::string_view& text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned first = byte(0);
  const size_t length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t point = length == 1 ? first : first & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) {
      text.remove_prefix(1);
      return first;
    }
    point = point << 6 | (byte(i) & 0x3FU);
  }
  text.remove_prefix(length);
  return point;
}

// Lower case in the scripts of the table (Unicode's simple folding in these ranges).
char32_t ToLower(char32_t c) {
  if (c >= 0xFF01 && c <= 0xFF5E) c -= 0xFEE0;  // full-width forms of Japanese keyboards
  if (c == 0x130 || c == 0x131) return 'i';     // Turkish
  if (c == 0x3C2) return 0x3C3;                 // final sigma
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if (c >= 0x100 && c <= 0x137) return c | 1;
  if (c >= 0x139 && c <= 0x148) return c + c % 2;
  if (c >= 0x14A && c <= 0x177) return c | 1;
  if (c == 0x179 || c == 0x17B || c == 0x17D) return c + 1;
  if (c == 0x386) return 0x3AC;
  if (c >= 0x388 && c <= 0x38A) return c + 37;
  if (c == 0x38C) return 0x3CC;
  if (c == 0x38E || c == 0x38F) return c + 63;
  if (c >= 0x391 && c <= 0x3A9) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x1E00 && c <= 0x1EFF) return c | 1;  // Vietnamese
  return c;
}

bool IsTrimmed(char32_t c) {
  return c <= ' ' || c == '.' || c == '!' || c == '"' || c == '\'' || c == 0xA0 || c == 0xAD ||
         (c >= 0x2000 && c <= 0x200F) || c == 0x2019 || c == 0x201C || c == 0x201D || c == 0x202F ||
         c == 0x2060 || c == 0x3000 || c == 0x3002 || c == 0xFEFF;
}

bool IsCombining(char32_t c) { return c >= 0x300 && c <= 0x36F; }

}  // namespace

std::u32string NormalizeKeyword(std::string_view body) {
  const std::string_view blanks = " \t\r\n";
  const size_t begin = body.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  body = body.substr(begin, body.find_last_not_of(blanks) - begin + 1);
  if (body.size() > kMaxKeyword) return {};
  std::u32string normalized;
  while (!body.empty()) {
    const char32_t c = ToLower(ReadCodePoint(body));
    if (!IsCombining(c)) normalized += c;  // "e" with a combining mark is compared as "e"
  }
  while (!normalized.empty() && IsTrimmed(normalized.back())) normalized.pop_back();
  normalized.erase(normalized.begin(),
                   std::ranges::find_if_not(normalized, [](char32_t c) { return IsTrimmed(c); }));
  return normalized;
}

}  // namespace tocsin::twilio
