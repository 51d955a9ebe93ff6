#include "tests/common/twilio/rest/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>

namespace tocsin::twilio {

Listener ListenOnLoopback() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener, generic, size) != 0 || ::listen(listener, 128) != 0 ||
      ::getsockname(listener, generic, &size) != 0)
    std::abort();
  return {listener, ntohs(address.sin_port)};
}

std::optional<std::string> ReadHttpRequest(int connection) {
  std::string request;
  std::array<char, 4096> part{};
  while (true) {
    const size_t head = request.find("\r\n\r\n");
    if (head != std::string::npos) {
      const size_t field = request.find("Content-Length: ");
      const size_t body = field < head ? std::stoul(request.substr(field + 16)) : 0;
      if (request.size() >= head + 4 + body) return request;
    }
    const ssize_t count = ::recv(connection, part.data(), part.size(), 0);
    if (count <= 0) return std::nullopt;
    request.append(part.data(), static_cast<size_t>(count));
  }
}

bool SendAll(int connection, std::string_view data) {
  while (!data.empty()) {
    const ssize_t count = ::send(connection, data.data(), data.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    data.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

std::string HttpResponseText(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Reason\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace tocsin::twilio
