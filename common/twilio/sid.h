// Twilio's string identifiers (SIDs). Pure.
#pragma once

#include <string_view>

namespace tocsin::twilio {

constexpr size_t kMaxSid = 64;  // characters; Twilio's have 34

// Whether `text` is `prefix` ("AC", "SM", …) followed by letters or digits, at most kMaxSid
// characters. Twilio uses 32 hex digits. Does not show whose SID it is.
bool IsSid(std::string_view text, std::string_view prefix);

bool IsMessageSid(std::string_view text);  // SM or MM
bool IsCallSid(std::string_view text);     // CA
bool IsAccountSid(std::string_view text);  // AC

}  // namespace tocsin::twilio
