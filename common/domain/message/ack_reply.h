// Replies that acknowledge or decline an alert, and their effect (pure).
#pragma once

#include <string_view>

namespace tocsin {

enum class AckReplyKind { kAcknowledge, kDecline };

enum class AckReplyResult {
  kAcknowledged,
  kAlreadyAcknowledged,  // of a reply that declines, too: it has no effect
  kNoAlert,              // no alert of this person waits for a reply
  kSeveral,              // several alerts wait for a reply, and it has no code
  kUnknownCode,          // no alert of this person has the code
  kDeclined,             // this person of the plan is not contacted again
  kRecorded,             // it declines an alert without a plan: that has no effect
};
constexpr int kAckReplyResults = 7;

constexpr std::string_view NameOf(AckReplyResult result) {  // for metrics
  switch (result) {
    case AckReplyResult::kAcknowledged: return "acknowledged";
    case AckReplyResult::kAlreadyAcknowledged: return "already_acknowledged";
    case AckReplyResult::kNoAlert: return "no_alert";
    case AckReplyResult::kSeveral: return "several";
    case AckReplyResult::kUnknownCode: return "unknown_code";
    case AckReplyResult::kDeclined: return "declined";
    case AckReplyResult::kRecorded: return "recorded";
  }
  return "unknown";
}

}  // namespace tocsin
