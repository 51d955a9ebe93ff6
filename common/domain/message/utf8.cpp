#include "common/domain/message/utf8.h"

#include <algorithm>
#include <cstdint>

namespace tocsin {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode 15: White_Space, Default_Ignorable_Code_Point, and the general category Cc.
constexpr Range kInvisible[] = {
    {0x0, 0x20},        {0x7F, 0xA0},     {0xAD, 0xAD},     {0x34F, 0x34F},     {0x61C, 0x61C},
    {0x115F, 0x1160},   {0x1680, 0x1680}, {0x17B4, 0x17B5}, {0x180B, 0x180F},   {0x2000, 0x200F},
    {0x2028, 0x202F},   {0x205F, 0x206F}, {0x3000, 0x3000}, {0x3164, 0x3164},   {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFF8}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
    {0xE0000, 0xE0FFF},
};

bool IsInvisible(char32_t c) {
  return std::ranges::any_of(
      kInvisible, [c](const Range& range) { return c >= range.first && c <= range.last; });
}

template <typename Predicate>
bool AllCodePoints(std::string_view text, Predicate predicate) {
  bool valid = true;
  for (std::size_t at = 0; at < text.size();)
    if (!predicate(NextCodePoint(text, at, valid))) return false;
  return true;
}

}  // namespace

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
  return good ? point : kReplacementCharacter;
}

bool IsValidUtf8(std::string_view text) {
  bool valid = true;
  for (size_t at = 0; at < text.size() && valid;) NextCodePoint(text, at, valid);
  return valid;
}

bool IsBlank(std::string_view text) { return AllCodePoints(text, IsInvisible); }

bool HasControlCharacter(std::string_view text) {
  return !AllCodePoints(text, [](char32_t c) { return c >= 0x20 && (c < 0x7F || c > 0x9F); });
}

}  // namespace tocsin
