// Masks phone numbers and e-mail addresses in free text. The types Pii and Secret are the first
// defence; this covers texts that a library or a peer wrote.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::telemetry {

// "[phone]" replaces "+" and 7 to 15 digits (also %2B, a full-width plus, and separators between
// the digits), 00 and a country code, tel: and digits, and the North American form 501-712-2661.
// "[email]" replaces an address. UUIDs, Twilio SIDs (two letters, 32 hex digits), RFC 3339 times
// and plain numbers are not changed. Linear in the length of the text (RE2). Accepts any bytes.
// Thread-safe.
std::string Scrub(std::string_view text);

}  // namespace tocsin::telemetry
