// A client that sends raw bytes over a loopback socket.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tocsin::http {

struct ClientResponse {
  int status = 0;
  std::string header;  // status line and header section
  std::string body;
};

class Client {
 public:
  explicit Client(uint16_t port, int receive_buffer = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval timeout{.tv_sec = 20, .tv_usec = 0};  // reached only if the server is broken
    const int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_buffer > 0) {
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~Client() {
    if (socket_ >= 0) ::close(socket_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool Connected() const { return connected_; }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // The next response, or nothing if the connection was closed before it was complete. `no_body`: a
  // response to HEAD or an interim response.
  std::optional<ClientResponse> Read(bool no_body = false) {
    size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadMore()) return std::nullopt;
    }
    ClientResponse response{
        .status = std::atoi(received_.c_str() + std::string_view("HTTP/1.1 ").size()),
        .header = received_.substr(0, end + 4),
        .body = {}};
    const size_t at = response.header.find("Content-Length: ");
    const size_t length =
        no_body || at == std::string::npos
            ? 0
            : static_cast<size_t>(std::atoll(response.header.c_str() + at +
                                             std::string_view("Content-Length: ").size()));
    while (received_.size() < end + 4 + length) {
      if (!ReadMore()) return std::nullopt;
    }
    response.body = received_.substr(end + 4, length);
    received_.erase(0, end + 4 + length);
    return response;
  }

  // Everything until the server closes the connection.
  std::string ReadToEnd() {
    while (ReadMore()) {
    }
    return std::exchange(received_, {});
  }

  // True once the server has closed the connection, false if it sends more.
  bool SeesClose() { return received_.empty() && !ReadMore() && closed_; }

  void FinishSending() { ::shutdown(socket_, SHUT_WR); }

  void Reset() {
    const linger none{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    ::close(std::exchange(socket_, -1));
  }

 private:
  bool ReadMore() {
    std::array<char, 64 * 1024> buffer;
    const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (got > 0) received_.append(buffer.data(), static_cast<size_t>(got));
    if (got == 0 || (got < 0 && errno == ECONNRESET)) closed_ = true;
    return got > 0;
  }

  int socket_;
  bool connected_ = false;
  bool closed_ = false;
  std::string received_;
};

}  // namespace tocsin::http
