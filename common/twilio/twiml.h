// What a call says and asks, in TwiML. Pure; every text is escaped here and nowhere else.
#pragma once

#include <string>
#include <string_view>

#include "common/domain/call_keys.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::twilio {

constexpr size_t kMaxInlineTwiml = 4'000;  // characters of the Calls API's Twiml parameter
constexpr int kKeySeconds = 8;             // waited for a key

// Why the alert is spoken once more.
enum class SpokenAgain { kFirstTime, kAsked, kNoKey, kUnknownKey };

// Speaks the alert and asks for one key, which goes to `keys_url`; without one the call goes there
// too and is told so. Language and voice are those of `spoken` (en-US when it names none); the
// menu is in its language where Tocsin speaks it (en, fr, de, es), else in English.
std::string SayAlert(const v1::SpokenForm& spoken, std::string_view text, std::string_view keys_url,
                     SpokenAgain why = SpokenAgain::kFirstTime);

// Says what the key did and hangs up; for a key that did nothing it says good-bye.
std::string ConfirmKey(const v1::SpokenForm& spoken, CallKey key);

// The text as it is spoken: runs of four and more digits are codes, spelled digit by digit.
std::string SpellCodes(std::string_view text);

// For element content and attribute values. Characters XML 1.0 cannot hold become blanks.
std::string EscapeXml(std::string_view text);

}  // namespace tocsin::twilio
