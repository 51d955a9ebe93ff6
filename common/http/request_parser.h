// Parses HTTP/1.1 requests from untrusted clients. Boost.Beast parses the grammar; everything that
// RFC 9112 lets a lenient recipient accept is rejected here, to prevent request smuggling.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "common/http/counters.h"
#include "common/http/message.h"

namespace tocsin::http {

// RFC 9112, 2.2: clients may send CRLF before a request line.
constexpr size_t kMaxEmptyLines = 4;

struct ParserLimits {
  size_t header_bytes;  // request line and header section with their line terminators
  size_t headers;
  size_t body_bytes;  // after chunked decoding
};

// An invalid request. Nothing that follows on the connection can be trusted.
struct ParseError {
  int status;  // 400, 413, 414, 417, 431, 501, 505
  Rejection reason;
};

// Parses one request after another, with Reset() between them. The result does not depend on how
// the bytes are split. Each byte is examined a bounded number of times. Memory use follows the
// bytes received, never an announced length. Not thread-safe.
class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;

  // Parses bytes and returns how many were consumed. The caller passes the others again, followed
  // by the bytes received since, or after Reset() if Done(). Consumes nothing if Done() or after an
  // error. Empty lines before the request line are ignored, up to kMaxEmptyLines.
  size_t Consume(std::string_view bytes);

  bool Started() const;  // a byte of the request line was received
  bool HeaderDone() const;
  bool Done() const;  // the request is complete
  const std::optional<ParseError>& error() const;
  bool ExpectsContinue() const;  // after HeaderDone(): "Expect: 100-continue", body not complete
  bool KeepAlive() const;        // after HeaderDone(): the connection may carry another request

  Request TakeRequest();
  void Reset();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::http
