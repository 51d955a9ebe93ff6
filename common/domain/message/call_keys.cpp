#include "common/domain/message/call_keys.h"

namespace tocsin {

CallKey CallKeyOf(std::string_view digits) {
  if (digits.empty()) return CallKey::kNone;
  switch (digits.front()) {
    case '1': return CallKey::kAcknowledge;
    case '2': return CallKey::kRepeat;
    case '3': return CallKey::kEscalate;
    case '9': return CallKey::kOptOut;
    default: return CallKey::kUnknown;
  }
}

std::string_view NameOf(CallKey key) {
  switch (key) {
    case CallKey::kNone: return "none";
    case CallKey::kAcknowledge: return "acknowledge";
    case CallKey::kRepeat: return "repeat";
    case CallKey::kEscalate: return "escalate";
    case CallKey::kOptOut: return "opt out";
    case CallKey::kUnknown: return "unknown";
  }
  return "unknown";
}

CallReply ReplyTo(CallKey key, unsigned round) {
  switch (key) {
    case CallKey::kAcknowledge:
    case CallKey::kEscalate:
    case CallKey::kOptOut: return CallReply::kConfirm;
    case CallKey::kNone:
    case CallKey::kRepeat:
    case CallKey::kUnknown: break;
  }
  return round < kMaxCallRounds ? CallReply::kAgain : CallReply::kGoodbye;
}

}  // namespace tocsin
