// The last net under personal data on its way out: masks what looks like a phone number or an
// e-mail address in free text. Types (Pii, Secret) come first; this catches what a library or a
// peer wrote.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::telemetry {

// "[phone]" stands for "+" and 7 to 15 digits (also %2B, a full-width plus, separators between the
// digits), for 00 and a country's number, for tel: and digits, and for the North American form
// 501-712-2661.
// "[email]" stands for an address. UUIDs, Twilio SIDs (two letters, 32 hex digits), RFC 3339 times
// and plain numbers come through whole. Time is linear in the text (RE2). Any bytes may be given.
// Thread-safe.
std::string Scrub(std::string_view text);

}  // namespace tocsin::telemetry
