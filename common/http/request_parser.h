// Reads one HTTP/1.1 request from bytes that strangers send. Boost.Beast takes the grammar apart;
// what RFC 9112 lets a lenient reader accept is refused here, because leniency is what smuggling
// lives on.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "common/http/counters.h"
#include "common/http/message.h"

namespace tocsin::http {

struct ParserLimits {
  size_t head_bytes;  // request line and headers with their line ends
  size_t headers;
  size_t body_bytes;  // after the chunked coding is taken off
};

struct Refusal {
  int status;  // 400, 413, 414, 417, 431, 501, 505
  Rejection reason;
};

// One parser reads one request after the other; Reset() lies between them. Every byte is looked at
// a bounded number of times, whatever pieces it comes in, and the pieces do not change the outcome.
// Memory grows with the bytes received, never with a length that was merely announced.
// For one thread.
class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;

  // Takes bytes of the request and says how many it is done with. The rest belongs in front of the
  // next bytes, or to the next request once Done(). Takes nothing when Done() or refused.
  size_t Consume(std::string_view bytes);

  bool Done() const;  // TakeRequest() has it
  const std::optional<Refusal>& Refused()
      const;  // no byte of this connection can be trusted from here on
  bool HeadDone() const;
  bool WantsContinue() const;  // "Expect: 100-continue", and the head is done
  bool KeepAlive() const;      // once HeadDone(): the client expects to send another request

  Request TakeRequest();
  void Reset();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::http
