// What a pressed key asks for, and what a call is told next (pure).
#pragma once

#include <string_view>

namespace tocsin {

enum class CallKey { kNone, kAcknowledge, kRepeat, kEscalate, kOptOut, kUnknown };

// 1 acknowledge, 2 repeat, 3 escalate, 9 opt out. Only the first character counts, for one is asked
// for; nothing pressed is kNone.
CallKey CallKeyOf(std::string_view digits);

std::string_view NameOf(CallKey key);  // "acknowledge", …; for records, timelines and metrics

// How often a call is spoken before it ends by itself: a machine that presses nothing, or a person
// who presses anything, must not hold a line for ever.
constexpr unsigned kMaxCallRounds = 3;

// What the call hears next.
enum class CallReply {
  kConfirm,  // what the key did, then the end
  kAgain,    // the alert again
  kGoodbye,  // the last round is over
};

// `round`: how often the alert was spoken so far, from 1.
CallReply ReplyTo(CallKey key, unsigned round);

}  // namespace tocsin
