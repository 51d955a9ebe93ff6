// The page that shows each telephone: plain HTML, a style and a script, all from here.
#pragma once

#include <optional>
#include <string_view>

#include "tools/twilio-sim/reply.h"

namespace tocsin::sim {

// /sim/, /sim/page.js and /sim/page.css; nothing for another path. What others wrote (texts,
// numbers) reaches the page as text only: the script never makes HTML of it, and the page's policy
// allows no script but its own file.
std::optional<Reply> PageReply(std::string_view path);

}  // namespace tocsin::sim
