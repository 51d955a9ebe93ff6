// A small HTTP/1.1 server (RFC 9110, RFC 9112) that can stand in the open without a proxy:
// Pistache's event loop, Boost.Beast's parser, and rules of our own for what is refused, how long
// anyone may take and how it ends. See docs/decisions/0002-http-parser.md. No TLS: that ends in
// front.
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

// The right and the duty to answer one request. Whoever drops it unanswered has answered 500. May
// be used on any thread, and after the connection or the server is gone: the answer then goes
// nowhere.
class Responder {
 public:
  // `take` is called once, with the answer, on the thread that gives it; it must neither block nor
  // throw. The server makes its own; a test may make one that keeps the answer.
  explicit Responder(std::function<void(Response)> take);
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) noexcept;
  ~Responder();

  // Hands the answer over and returns at once. The first answer counts, a second one is ignored.
  void Send(Response response);

 private:
  std::function<void(Response)> take_;  // empty once answered or moved from
};

// Called on a worker's thread, which serves many connections: it must not block. An exception that
// leaves it is answered with 500.
using Handler = std::function<void(Request, Responder)>;

// Bounds and deadlines. The defaults suit a public port.
struct ServerOptions {
  std::string address = "127.0.0.1:0";  // host:port; an empty host means any, port 0 a free one
  int threads = 2;                      // 1 to 64

  size_t max_header_bytes = 8 * 1024;  // request line and headers; beyond it 414 or 431
  size_t max_headers = 64;             // beyond it 431
  size_t max_body = 64 * 1024;         // beyond it 413
  size_t max_connections = 4096;       // beyond it 503 and close, before a byte is read
  size_t max_in_flight = 4096;         // requests with the application; beyond it 503

  // Each counts from a fixed point, never from the last byte.
  std::chrono::milliseconds header_timeout{
      5000};                                      // from connecting, or a request's first byte: 408
  std::chrono::milliseconds body_timeout{10000};  // from the request's first byte to its last: 408
  std::chrono::milliseconds answer_timeout{30000};  // from a whole request to its answer: 503
  std::chrono::milliseconds write_timeout{10000};   // from the answer to its last byte: reset
  std::chrono::milliseconds idle_timeout{75000};    // from an answer to the next request: closed
  std::chrono::milliseconds linger_timeout{
      1000};  // from our last byte to the client's close: closed
};

class Server {
 public:
  // Listens and serves from here on. Fails with kInvalidConfig (address, threads) or kInternal (no
  // sockets or threads to be had). The handler is called from `threads` threads at once.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, Handler handler);

  // Ends every connection at once, waits for handlers that are running, then returns.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;
  Counts counts() const;

  // Stops listening (new clients are refused by the kernel), closes idle connections, lets requests
  // that have begun be read, answered and written, each answer being its connection's last. Blocks
  // until no connection is open or the deadline; true if all had ended. The server then only waits
  // for its end.
  bool Drain(std::chrono::steady_clock::time_point deadline);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::http
