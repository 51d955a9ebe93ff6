// The listening socket and the thread that empties it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "common/base/result.h"
#include "common/http/counters.h"
#include "common/http/fd.h"
#include "common/http/mailbox.h"

namespace tocsin::http {

// A socket that listens on "host:port" (IPv4, "[IPv6]" or a name; no host means any address), ready
// for accept. Fails with kInvalidConfig.
Result<Fd> Listen(const std::string& address);

// Accepts until Stop() and hands each connection to `take`, on a thread of its own. Beyond
// `max_connections` a client gets 503 and is closed. Out of descriptors, it waits kPause instead of
// spinning.
class Acceptor {
 public:
  Acceptor(Fd listener, size_t max_connections, Counters& counters,
           std::function<void(NewConnection)> take);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  uint16_t Port() const { return port_; }
  // Hands over what the kernel has already accepted, then closes the listening socket. Blocks until
  // done.
  void Stop();

 private:
  void Run();
  bool AcceptAll();  // false when there was no descriptor to accept with
  void Greet(Fd socket, std::string peer_address);

  Fd listener_;
  const Fd stop_;
  const uint16_t port_;
  const size_t max_connections_;
  Counters& counters_;
  const std::function<void(NewConnection)> take_;
  std::thread thread_;
};

}  // namespace tocsin::http
