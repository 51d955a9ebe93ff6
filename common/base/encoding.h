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

std::string Base64UrlEncode(std::string_view bytes);  // no padding: it travels in URL paths
Result<std::string> Base64UrlDecode(std::string_view text);

// application/x-www-form-urlencoded, in the order given; names may repeat, values may be empty.
using FormFields = std::vector<std::pair<std::string, std::string>>;

// At most `max_fields` fields. A broken escape ("%4", "%zz") is an error: what cannot be decoded in
// one way only must not be signed for.
Result<FormFields> FormDecode(std::string_view body, size_t max_fields);
std::string FormEncode(const FormFields& fields);
std::string PercentEncode(std::string_view text);  // all but RFC 3986 unreserved characters

}  // namespace tocsin
