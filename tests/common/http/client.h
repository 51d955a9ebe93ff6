// A client that can misbehave: it sends the bytes it is given over a loopback socket.
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

struct Reply {
  int status = 0;
  std::string head;
  std::string body;
};

class Client {
 public:
  explicit Client(uint16_t port, int receive_buffer = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = 20,
                           .tv_usec = 0};  // only a broken server makes a test wait so long
    const int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
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

  // The next answer, or nothing if the connection ended before it was whole.
  std::optional<Reply> Read(bool bodiless = false) {
    size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadMore()) return std::nullopt;
    }
    Reply reply{.status = std::atoi(received_.c_str() + std::string_view("HTTP/1.1 ").size()),
                .head = received_.substr(0, end + 4),
                .body = {}};
    const size_t at = reply.head.find("Content-Length: ");
    const size_t length =
        bodiless || at == std::string::npos
            ? 0
            : static_cast<size_t>(std::atoll(reply.head.c_str() + at +
                                             std::string_view("Content-Length: ").size()));
    while (received_.size() < end + 4 + length) {
      if (!ReadMore()) return std::nullopt;
    }
    reply.body = received_.substr(end + 4, length);
    received_.erase(0, end + 4 + length);
    return reply;
  }

  // Everything until the server closes, which it must.
  std::string ReadToEnd() {
    while (ReadMore()) {
    }
    return std::exchange(received_, {});
  }

  // True once the server has closed, false if it went on talking.
  bool SeesTheEnd() { return received_.empty() && !ReadMore() && ended_; }

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
    if (got == 0 || (got < 0 && errno == ECONNRESET)) ended_ = true;
    return got > 0;
  }

  int socket_;
  bool connected_ = false;
  bool ended_ = false;
  std::string received_;
};

}  // namespace tocsin::http
