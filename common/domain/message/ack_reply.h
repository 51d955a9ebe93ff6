// The effect of a reply that acknowledges an alert (pure).
#pragma once

#include <string_view>

namespace tocsin {

enum class AckReplyResult {
  kAcknowledged,
  kAlreadyAcknowledged,
  kNoAlert,      // no alert of this person waits for a reply
  kSeveral,      // several alerts wait for a reply, and it has no code
  kUnknownCode,  // no alert of this person has the code
};
constexpr int kAckReplyResults = 5;

constexpr std::string_view NameOf(AckReplyResult result) {  // for metrics
  switch (result) {
    case AckReplyResult::kAcknowledged: return "acknowledged";
    case AckReplyResult::kAlreadyAcknowledged: return "already_acknowledged";
    case AckReplyResult::kNoAlert: return "no_alert";
    case AckReplyResult::kSeveral: return "several";
    case AckReplyResult::kUnknownCode: return "unknown_code";
  }
  return "unknown";
}

}  // namespace tocsin
