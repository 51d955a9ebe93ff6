// The web page that shows each phone, its messages and its calls.
#pragma once

#include <optional>
#include <string_view>

#include "tools/twilio-sim/api/api_response.h"

namespace tocsin::sim {

// /sim/, /sim/page.js and /sim/page.css; nothing for another path. Texts and numbers are shown as
// text, never as HTML, and the security policy of the page allows only its own script.
std::optional<ApiResponse> PageResponse(std::string_view path);

}  // namespace tocsin::sim
