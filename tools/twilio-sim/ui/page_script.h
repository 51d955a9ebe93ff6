// The script of the web page.
#pragma once

#include <string_view>

namespace tocsin::sim {

extern const std::string_view kPageScript;

}  // namespace tocsin::sim
