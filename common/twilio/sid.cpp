#include "common/twilio/sid.h"

#include <algorithm>

namespace tocsin::twilio {
namespace {

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool IsSid(std::string_view text, std::string_view prefix) {
  return text.size() > prefix.size() && text.size() <= kMaxSid && text.starts_with(prefix) &&
         std::ranges::all_of(text, IsLetterOrDigit);
}

bool IsMessageSid(std::string_view text) { return IsSid(text, "SM") || IsSid(text, "MM"); }
bool IsCallSid(std::string_view text) { return IsSid(text, "CA"); }
bool IsAccountSid(std::string_view text) { return IsSid(text, "AC"); }

}  // namespace tocsin::twilio
