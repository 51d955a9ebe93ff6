// The listening socket and the thread that accepts its connections.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "common/base/result.h"
#include "common/http/counters.h"
#include "common/http/event_queue.h"
#include "common/http/fd.h"

namespace tocsin::http {

// A non-blocking socket that listens on "host:port" (IPv4, "[IPv6]" or a name; an empty host means
// any address). Fails with kInvalidConfig.
Result<Fd> Listen(const std::string& address);

// Accepts connections until Stop() and passes each to `on_connection`, on a thread of its own.
// Beyond `max_connections` a connection gets 503 and is closed. When the process is out of file
// descriptors it retries after kRetryDelay.
class Acceptor {
 public:
  Acceptor(Fd listener, size_t max_connections, Counters& counters,
           std::function<void(NewConnection)> on_connection);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  uint16_t Port() const { return port_; }
  // Passes on the connections that the kernel has already accepted, then closes the listening
  // socket. Blocks until done.
  void Stop();

 private:
  void Run();
  bool AcceptAll();  // false if the process is out of file descriptors
  void Admit(Fd socket, std::string peer_address);

  Fd listener_;
  const Fd stop_;
  const uint16_t port_;
  const size_t max_connections_;
  Counters& counters_;
  const std::function<void(NewConnection)> on_connection_;
  std::thread thread_;
};

}  // namespace tocsin::http
