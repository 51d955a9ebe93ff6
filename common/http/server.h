// An HTTP/1.1 server (RFC 9110, RFC 9112) for untrusted clients: Pistache's event loop,
// Boost.Beast's parser, strict framing, deadlines and bounds. See
// docs/decisions/0002-http-parser.md. No TLS: a proxy terminates it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/http/counters.h"
#include "common/http/message.h"

namespace tocsin::http {

// Sends the response to one request. If it is destroyed without Send(), the response is 500. May be
// used on any thread, also after the connection or the server is gone; the response is then
// discarded. Move-only.
class Responder {
 public:
  // `send` is called at most once, on the thread that calls Send(). It must neither block nor
  // throw.
  explicit Responder(std::function<void(Response)> send);
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) noexcept;
  ~Responder();

  // Returns at once. Only the first response is sent; further ones are ignored.
  void Send(Response response);

 private:
  std::function<void(Response)> send_;  // empty after Send() or a move
};

// Called on a worker's thread, which serves many connections: it must not block. If it throws, the
// response is 500. A HEAD request reaches it as GET; the server omits the body of the response (RFC
// 9110, 9.3.2).
using Handler = std::function<void(Request, Responder)>;

// Bounds and deadlines. The defaults are for untrusted clients.
struct ServerOptions {
  std::string address = "127.0.0.1:0";  // host:port; empty host: any address; port 0: a free port
  int threads = 2;                      // 1 to 64

  size_t max_header_bytes = 8 * 1024;  // request line and header section; beyond it 414 or 431
  size_t max_headers = 64;             // beyond it 431
  size_t max_body = 64 * 1024;         // beyond it 413
  size_t max_connections = 4096;       // beyond it 503 and close, without reading
  size_t max_in_flight = 4096;  // requests without a response from the handler; beyond it 503

  // Each deadline counts from a fixed point, never from the last byte.
  // From connecting or the first byte of a request to the end of its header section: closed or 408.
  std::chrono::milliseconds header_timeout{5000};
  // From the first byte of a request to its last: 408.
  std::chrono::milliseconds body_timeout{10000};
  // From the complete request to the response of the handler: 503.
  std::chrono::milliseconds response_timeout{30000};
  // From the response of the handler to its last byte written: reset.
  std::chrono::milliseconds write_timeout{10000};
  // From a response to the first byte of the next request: closed.
  std::chrono::milliseconds idle_timeout{75000};
  // From the last byte written to the close by the client: closed.
  std::chrono::milliseconds linger_timeout{1000};
};

class Server {
 public:
  // Listens and starts serving. Fails with kInvalidConfig (address, threads) or kInternal (sockets
  // or threads exhausted). The handler is called on `threads` threads at once.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, Handler handler);

  // Closes all connections and waits for running handlers.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;
  Counts counts() const;

  // Stops listening, closes idle connections, completes requests that have started, and closes each
  // connection after its response. Blocks until no connection is open or until the deadline; true
  // if all are closed. The server cannot be used afterwards.
  bool Drain(std::chrono::steady_clock::time_point deadline);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::http
