// The TwiML of calls. Pure. The only place that escapes text for XML.
#pragma once

#include <string>
#include <string_view>

#include "common/domain/message/call_keys.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::twilio {

constexpr size_t kMaxInlineTwiml = 4'000;  // characters of the Calls API's Twiml parameter
constexpr int kGatherTimeoutSeconds = 8;

// Why the alert is spoken again. kNone: it is spoken for the first time.
enum class RepeatReason { kNone, kRequested, kNoKey, kUnknownKey };

// Speaks the alert and gathers one key. The key is sent to `gather_url`; so is a request without a
// key after the timeout. Language and voice are those of `voice` (default en-US). The menu is in
// the same language if Tocsin has it (en, fr, de, es), else in English.
std::string AlertTwiml(const v1::VoiceOptions& voice, std::string_view text,
                       std::string_view gather_url, RepeatReason reason = RepeatReason::kNone);

// Confirms the effect of the key, or says goodbye if it has none, and hangs up.
std::string ConfirmationTwiml(const v1::VoiceOptions& voice, CallKey key);

// Separates the digits of runs of four or more, so that codes are spelled digit by digit.
std::string SpellCodes(std::string_view text);

// For element content and attribute values. Characters that XML 1.0 forbids become spaces.
std::string EscapeXml(std::string_view text);

}  // namespace tocsin::twilio
