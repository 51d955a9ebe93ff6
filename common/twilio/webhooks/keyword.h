// Inbound messages in a form in which keywords are compared. Pure.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::twilio {

// The message in lower case, without surrounding whitespace, full stops and quotation marks, and
// without combining marks. Empty for a message of more than 64 bytes: it is not a keyword. Bytes
// that are not UTF-8 are kept.
std::u32string NormalizeKeyword(std::string_view body);

}  // namespace tocsin::twilio
