// What an inbound text means for the block list, and what Twilio answers to it by itself.
// https://help.twilio.com/articles/223134027, /articles/360034798533 (Advanced Opt-Out)
#pragma once

#include <string_view>

namespace tocsin::sim {

enum class OptWord { kNone, kStop, kStart, kHelp };

// Whole message, any case, outer blanks cut. START of a toll-free sender is not said by YES.
OptWord OptWordOf(std::string_view text, std::string_view sender);

// STOP, START or HELP, as the webhook of a service with Advanced Opt-Out names it; else empty.
std::string_view OptOutTypeOf(OptWord word);

// What the person gets back from Twilio itself; empty for other words.
std::string_view ReplyTo(OptWord word);

bool IsTollFree(std::string_view sender);

}  // namespace tocsin::sim
