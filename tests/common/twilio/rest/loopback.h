// What the test servers share: sockets on loopback and HTTP/1.1 messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tocsin::twilio {

struct Listener {
  int descriptor = -1;
  int port = 0;
};
Listener ListenOnLoopback();  // on a free port; aborts on failure

// The next request, header section and body. Nothing when the connection ends.
std::optional<std::string> ReadHttpRequest(int connection);

bool SendAll(int connection, std::string_view data);

// An HTTP/1.1 response with Content-Length. Each of `headers` ends in CRLF.
std::string HttpResponseText(int status, const std::string& body, const std::string& headers = "");

}  // namespace tocsin::twilio
