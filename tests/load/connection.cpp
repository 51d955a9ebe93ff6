#include "tests/load/connection.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace tocsin::load {
namespace {

constexpr size_t kMaxResponse = 64 * 1024;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kLength = "Content-Length: ";  // as our server writes it
constexpr std::string_view kStatusLine = "HTTP/1.1 ";

size_t BodyLength(std::string_view head) {
  const size_t at = head.find(kLength);
  return at == std::string_view::npos ? 0
                                      : static_cast<size_t>(std::atoi(
                                            std::string(head.substr(at + kLength.size())).c_str()));
}

}  // namespace

Connection::Connection(const std::string& address) {
  const size_t colon = address.rfind(':');
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &wanted,
                  &found) != 0)
    return;
  fd_ = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol);
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd_, found->ai_addr, found->ai_addrlen) != 0) Close();
  freeaddrinfo(found);
}

Connection::~Connection() { Close(); }

int Connection::Send(std::string_view request) {
  while (!request.empty()) {
    const ssize_t sent = send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent <= 0) return 0;
    request.remove_prefix(static_cast<size_t>(sent));
  }
  std::string response;
  size_t head = std::string::npos;
  while ((head = response.find(kHeadEnd)) == std::string::npos) {
    if (!ReadMore(response)) return 0;
  }
  head += kHeadEnd.size();
  const size_t whole = head + BodyLength(std::string_view(response).substr(0, head));
  while (response.size() < whole) {
    if (!ReadMore(response)) return 0;
  }
  return response.starts_with(kStatusLine) ? std::atoi(response.c_str() + kStatusLine.size()) : 0;
}

bool Connection::ReadMore(std::string& response) const {
  char buffer[8192];
  const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
  if (got <= 0 || response.size() > kMaxResponse) return false;
  response.append(buffer, static_cast<size_t>(got));
  return true;
}

void Connection::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace tocsin::load
