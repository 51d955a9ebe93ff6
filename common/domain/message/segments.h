// The number of SMS segments of a text (3GPP TS 23.038, counted as Twilio does). S2
#pragma once

#include <string_view>

#include "common/domain/message/utf8.h"

namespace tocsin {

enum class SmsEncoding { kGsm7, kUcs2 };

struct SegmentInfo {
  SmsEncoding encoding = SmsEncoding::kGsm7;
  unsigned units = 0;       // septets, or UTF-16 units
  unsigned segments = 0;    // 0 for an empty text
  unsigned characters = 0;  // code points
};

// Pure; linear in the length of the text. Each byte of invalid UTF-8 counts as U+FFFD. A two-septet
// character or a surrogate pair is never split between two segments.
SegmentInfo CountSegments(std::string_view utf8);

}  // namespace tocsin
