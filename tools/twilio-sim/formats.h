// Formats that messages and calls share. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/time.h"

namespace tocsin::sim {

bool IsE164(std::string_view text);

// ISO 8601: YYYY-MM-DD, or YYYY-MM-DDThh:mm:ss[.fff]Z. Nothing for other texts.
std::optional<WallTime> ParseIsoTime(std::string_view text);

}  // namespace tocsin::sim
