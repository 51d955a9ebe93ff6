#include "common/telemetry/scrub.h"

#include <re2/re2.h>

#include <cstdlib>

namespace tocsin::telemetry {
namespace {

// Not masked although full of digits: UUID, Twilio SID, RFC 3339 time.
constexpr std::string_view kUnmasked =
    "\\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\\b"
    "|\\b[A-Z]{2}[0-9a-f]{32}\\b"
    "|\\b\\d{4}-\\d{2}-\\d{2}[Tt ]\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,9})?(?:[Zz]|[+-]\\d{2}:?\\d{2})?";

constexpr std::string_view kEmail =
    "[^\\s@\"<>(),:;=&?/\\\\\\[\\]]+(?:@|%40)"
    "[A-Za-z0-9\\-\\x80-\\xff]+(?:\\.[A-Za-z0-9\\-\\x80-\\xff]+)+";

// A plus as it appears in text, in URLs, in JSON and XML escapes, and in its full-width form
// (UTF-8).
constexpr std::string_view kPlus = "(?:\\+|%2[Bb]|\\\\u002[Bb]|&#43;|&#[xX]2[Bb];|\\xef\\xbc\\x8b)";
constexpr std::string_view kDigit = "(?:\\d|\\xef\\xbc[\\x90-\\x99])";
// Spaces, parentheses, dots, slashes, dashes; also no-break and zero-width spaces and other dashes
// in UTF-8.
constexpr std::string_view kBetween =
    "(?:[\\s.\\-()/_]|%20|%2[dD]|\\xc2[\\xa0\\xad]|\\xe2\\x80[\\x80-\\x95\\xaf]|\\xe2\\x81\\xa0)";

std::string Phone() {
  const std::string plus(kPlus), between(kBetween), digit(kDigit);
  return plus + between + "?" + digit + "(?:" + between + "{0,3}" + digit + "){6,14}" + digit +
         "*"
         "|\\b00[1-9]\\d{7,13}\\b"
         "|\\btel:\\d{5,15}\\b"
         "|\\b\\d{3}[-.]\\d{3}[-.]\\d{4}\\b"
         "|\\(\\d{3}\\)\\s?\\d{3}[-. ]\\d{4}\\b";
}

RE2::Options Bytes() {
  RE2::Options options(RE2::Latin1);  // bytes that are not UTF-8 are matched as they are
  options.set_log_errors(false);
  return options;
}

// A cheap prefilter that matches every text with something to mask: a character of a plus or an
// address, or the beginning of a form without a plus. Most texts hold only ids and numbers and need
// no more than this; the complete pattern is about a hundred times slower.
constexpr std::string_view kSuspect =
    "[+@%&\\\\(\xef]|tel:|\\b00[1-9]\\d{7}|\\b\\d{3}[-.]\\d{3}[-.]\\d{4}\\b";

struct Patterns {
  RE2 suspect{std::string(kSuspect), Bytes()};
  RE2 unmasked{std::string(kUnmasked), Bytes()};
  RE2 all{std::string(kUnmasked) + "|" + std::string(kEmail) + "|" + Phone(), Bytes()};

  Patterns() {
    if (!suspect.ok() || !unmasked.ok() || !all.ok()) std::abort();
  }
};

}  // namespace

std::string Scrub(std::string_view text) {
  static const Patterns* const patterns =
      new Patterns;  // not destroyed: lines are logged after main()
  const re2::StringPiece whole(text.data(), text.size());
  if (!RE2::PartialMatch(whole, patterns->suspect)) return std::string(text);
  std::string clean;
  size_t at = 0;
  re2::StringPiece match;  // one match only: capture groups would use a slower engine of RE2
  while (patterns->all.Match(whole, at, whole.size(), RE2::UNANCHORED, &match, 1)) {
    const auto begin = static_cast<size_t>(match.data() - whole.data());
    clean.append(text.substr(at, begin - at));
    const std::string_view part(match.data(), match.size());
    if (RE2::FullMatch(match, patterns->unmasked)) {
      clean.append(part);
    } else {  // no phone number contains either form of "@"
      const bool email =
          part.find('@') != std::string_view::npos || part.find("%40") != std::string_view::npos;
      clean.append(email ? "[email]" : "[phone]");
    }
    at = begin + part.size();
  }
  return clean.append(text.substr(at));
}

}  // namespace tocsin::telemetry
