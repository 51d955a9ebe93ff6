// How many SMS segments a text takes (3GPP TS 23.038, counted as Twilio counts them).
#pragma once

#include <string_view>

namespace tocsin {

enum class SmsEncoding { kGsm7, kUcs2 };

struct SegmentInfo {
  SmsEncoding encoding = SmsEncoding::kGsm7;
  unsigned units = 0;       // septets, or UTF-16 units
  unsigned segments = 0;    // 0 for an empty text
  unsigned characters = 0;  // code points
};

// Pure; linear in the text. Broken UTF-8 counts as U+FFFD per broken byte. A two-septet character
// or a surrogate pair is never split over two segments.
SegmentInfo CountSegments(std::string_view utf8);

bool IsValidUtf8(std::string_view text);

}  // namespace tocsin
