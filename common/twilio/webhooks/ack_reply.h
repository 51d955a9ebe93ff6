// Recognises replies that acknowledge an alert. Pure. V6
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tocsin::twilio {

struct AckReply {
  std::string code;                // four digits; empty without one
  std::string_view language_code;  // of the word; "en" for a code alone
};

// A word such as "yes", "ok" or "oui", a code, or a word and a code in any order. Words are
// compared as KeywordOf() does. nullopt for everything else: "yes, but who are you?".
std::optional<AckReply> AckReplyOf(std::string_view body);

}  // namespace tocsin::twilio
