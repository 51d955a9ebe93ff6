// The keypad menu of a call (pure). V4
#pragma once

#include <string_view>

namespace tocsin {

enum class CallKey { kNone, kAcknowledge, kRepeat, kEscalate, kOptOut, kUnknown };

// 1 acknowledge, 2 repeat, 3 escalate, 9 opt out. Only the first character counts because one digit
// is gathered; no digit is kNone.
CallKey CallKeyOf(std::string_view digits);

std::string_view NameOf(CallKey key);  // such as "acknowledge"; for records, timelines and metrics

// How often the alert is spoken at most, so that neither a machine nor a person keeps the call open
// forever.
constexpr unsigned kMaxCallRounds = 3;

// What is played next.
enum class CallReply {
  kConfirm,  // confirm the key, then hang up
  kAgain,    // speak the alert again
  kGoodbye,  // say goodbye after the last round
};

// `round`: how often the alert was spoken so far, from 1.
CallReply ReplyTo(CallKey key, unsigned round);

}  // namespace tocsin
