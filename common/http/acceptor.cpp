#include "common/http/acceptor.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

namespace tocsin::http {
namespace {

constexpr int kBacklog = 1024;
constexpr std::chrono::milliseconds kRetryDelay{50};

Fd Bind(const addrinfo& at) {
  Fd listener(::socket(at.ai_family, at.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!listener) return {};
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.get(), at.ai_addr, at.ai_addrlen) != 0) return {};
  if (::listen(listener.get(), kBacklog) != 0) return {};
  return listener;
}

uint16_t PortOf(const Fd& listener) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(bound).sin_port);
}

std::string AddressOf(const sockaddr_storage& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* address =
      peer.ss_family == AF_INET6
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr)
          : &reinterpret_cast<const sockaddr_in&>(peer).sin_addr;
  ::inet_ntop(peer.ss_family, address, text.data(), text.size());
  return text.data();
}

}  // namespace

Result<Fd> Listen(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return Fail(ErrorCode::kInvalidConfig, "listen address is not host:port: " + address);
  }
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                   address.c_str() + colon + 1, &hints, &found);
  if (failed != 0) {
    return Fail(ErrorCode::kInvalidConfig,
                "listen address " + address + ": " + ::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (Fd listener = Bind(*at)) return listener;
  }
  return Fail(ErrorCode::kInvalidConfig,
              "cannot listen on " + address + ": " + std::generic_category().message(errno));
}

Acceptor::Acceptor(Fd listener, size_t max_connections, Counters& counters,
                   std::function<void(NewConnection)> on_connection)
    : listener_(std::move(listener)),
      stop_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      port_(PortOf(listener_)),
      max_connections_(max_connections),
      counters_(counters),
      on_connection_(std::move(on_connection)) {
  if (!stop_) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = std::thread([this] { Run(); });
}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::Stop() {
  if (!thread_.joinable()) return;
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
  listener_ = Fd();
}

void Acceptor::Run() {
  bool retry_later = false;
  for (;;) {
    std::array<pollfd, 2> watched{{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}}};
    ::poll(watched.data(), retry_later ? 1 : 2,
           retry_later ? static_cast<int>(kRetryDelay.count()) : -1);
    retry_later = !AcceptAll();
    if (watched[0].revents != 0) return;
  }
}

bool Acceptor::AcceptAll() {
  for (;;) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    Fd socket(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                        SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      Admit(std::move(socket), AddressOf(peer));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return false;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return true;
    }  // other errors concern this client only (accept(2): ECONNABORTED and others)
  }
}

void Acceptor::Admit(Fd socket, std::string peer_address) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (counters_.Connections() < max_connections_) {
    counters_.ConnectionOpened();
    on_connection_({std::move(socket), std::move(peer_address)});
    return;
  }
  counters_.Rejected(Rejection::kTooManyConnections);
  Response refusal{.status = 503};
  const std::string wire = Serialize(refusal, {.close = true});
  // Best effort, without waiting: the send buffer of a new socket is empty.
  if (::send(socket.get(), wire.data(), wire.size(), MSG_NOSIGNAL) > 0) {
    ::shutdown(socket.get(), SHUT_WR);
  }
}

}  // namespace tocsin::http
