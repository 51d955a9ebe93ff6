// Recognises replies that acknowledge or decline an alert. Pure. V6
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/domain/message/ack_reply.h"

namespace tocsin::twilio {

struct AckReply {
  AckReplyKind kind = AckReplyKind::kAcknowledge;
  std::string code;                // four digits; empty without one
  std::string_view language_code;  // of the word; "en" for a code alone
};

// A word such as "yes", "ok" or "oui", or "no" or "non", a code, or a word and a code in any order.
// A code alone acknowledges. Words are compared as KeywordOf() does; none that declines is a
// keyword. nullopt for everything else: "yes, but who are you?".
std::optional<AckReply> AckReplyOf(std::string_view body);

}  // namespace tocsin::twilio
