// Opt-out keywords of inbound messages and the replies that Twilio sends to them.
// https://help.twilio.com/articles/223134027, /articles/360034798533 (Advanced Opt-Out)
#pragma once

#include <string_view>

namespace tocsin::sim {

enum class OptOutKeyword { kNone, kStop, kStart, kHelp };

// Compares the whole message, ignoring case and surrounding whitespace. YES is not START for a
// toll-free sender.
OptOutKeyword KeywordOf(std::string_view text, std::string_view sender);

// The OptOutType of a service with Advanced Opt-Out: STOP, START, HELP; else empty.
std::string_view OptOutTypeOf(OptOutKeyword word);

// Twilio's reply to the recipient; empty for kNone.
std::string_view AutoReplyTo(OptOutKeyword word);

bool IsTollFree(std::string_view sender);

}  // namespace tocsin::sim
