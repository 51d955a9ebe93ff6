// Text forms of bytes (RFC 4648) and of percent-encoded text (WHATWG URL, form-urlencoded).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace tocsin {

std::string HexEncode(std::string_view bytes);  // lower case
Result<std::string> HexDecode(std::string_view text);

std::string Base64Encode(std::string_view bytes);  // with padding
Result<std::string> Base64Decode(std::string_view text);

std::string Base64UrlEncode(std::string_view bytes);  // no padding; for URL paths
Result<std::string> Base64UrlDecode(std::string_view text);

// Fields of application/x-www-form-urlencoded in order. Names may repeat, values may be empty.
using FormFields = std::vector<std::pair<std::string, std::string>>;

// Fails with kTooManyItems above `max_fields` fields and with kInvalidArgument for a malformed
// escape ("%4", "%zz"): the fields are signed, so their decoding must be unambiguous.
Result<FormFields> FormDecode(std::string_view body, size_t max_fields);
std::string FormEncode(const FormFields& fields);
std::string PercentEncode(std::string_view text);  // all except RFC 3986 unreserved characters

}  // namespace tocsin
