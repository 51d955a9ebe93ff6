// Code points of UTF-8 text. Pure; linear in the text.
#pragma once

#include <cstddef>
#include <string_view>

namespace tocsin {

// What NextCodePoint() returns for a byte that is not UTF-8.
constexpr char32_t kReplacementCharacter = 0xFFFD;

// The code point at `at`, which is moved behind it. Not UTF-8 (RFC 3629): kReplacementCharacter,
// one byte is skipped, and `valid` becomes false. `at` is below the size of the text.
char32_t NextCodePoint(std::string_view text, std::size_t& at, bool& valid);

bool IsValidUtf8(std::string_view text);

// Whether a reader sees nothing: only white space, control characters, and characters that Unicode
// calls default-ignorable (zero-width space, byte order mark, variation selectors). True for an
// empty text.
bool IsBlank(std::string_view text);

// Whether the text has a character of Unicode's category Cc: ASCII's, DEL, U+0080 to U+009F.
bool HasControlCharacter(std::string_view text);

}  // namespace tocsin
