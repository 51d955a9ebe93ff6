#include "tools/twilio-sim/ui/page.h"

#include <string>

#include "tools/twilio-sim/ui/page_script.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kHtml = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Phones - Twilio simulator</title>
<link rel="stylesheet" href="page.css">
</head>
<body>
<h1>Phones</h1>
<p id="status" role="status">loading</p>
<p><label><input type="checkbox" id="slow"> Real-time calls: leave time to press keys</label></p>
<main id="phones"></main>
<script src="page.js"></script>
</body>
</html>
)";

constexpr std::string_view kStyle = R"(body { font: 15px/1.4 sans-serif; margin: 1em 2em; }
main { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start; }
section { border: 1px solid #999; border-radius: 8px; padding: 0.5em 1em; width: 22em; }
h2 { font-size: 1em; margin: 0.2em 0; }
ol { list-style: none; margin: 0; padding: 0; max-height: 24em; overflow-y: auto; }
li { margin: 0.3em 0; padding: 0.3em 0.6em; border-radius: 6px; background: #eee;
     white-space: pre-wrap; overflow-wrap: anywhere; }
li.inbound { background: #d6ecff; margin-left: 3em; }
li.call { background: #e4f5dc; }
small { color: #555; display: block; }
form, .keys { margin: 0.5em 0; display: flex; flex-wrap: wrap; gap: 0.3em; }
form input { flex: 1; min-width: 8em; }
)";

constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace

std::optional<ApiResponse> PageResponse(std::string_view path) {
  const bool html = path == "/sim/";
  const bool script = path == "/sim/page.js";
  if (!html && !script && path != "/sim/page.css") return std::nullopt;
  return ApiResponse{
      .http_response = {.status = 200,
                        .content_type = html     ? "text/html; charset=utf-8"
                                        : script ? "text/javascript; charset=utf-8"
                                                 : "text/css; charset=utf-8",
                        .body = std::string(html     ? kHtml
                                            : script ? kPageScript
                                                     : kStyle),
                        .headers = {{"Content-Security-Policy", std::string(kPolicy)},
                                    {"X-Content-Type-Options", "nosniff"},
                                    {"Cache-Control", "no-store"}}}};
}

}  // namespace tocsin::sim
