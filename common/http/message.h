// What travels over HTTP/1.1: a request as its client wrote it, and the answer to it (RFC 9110, RFC
// 9112).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::http {

struct Header {
  std::string name;   // as on the wire; compare without regard to case
  std::string value;  // without the blanks around it
};

// A well-formed request. Nothing is decoded: whoever checks a signature needs the bytes as they
// came.
struct Request {
  std::string method = {};           // a token, case kept: "GET", "POST", or one that nobody knows
  std::string target = {};           // origin-form ("/path?query"), raw, exactly as on the wire
  std::vector<Header> headers = {};  // in the order of the wire, repeats included
  std::string body = {};             // chunked coding already taken off
  std::string peer_address = {};     // numeric IP address of the client's end, without port
  bool reused = false;               // its connection has carried a request before

  // The value of the header, if it came exactly once. A header that was repeated answers nothing:
  // which of them counts is not for us to guess.
  std::optional<std::string_view> Find(std::string_view name) const;

  std::string_view Path() const;   // the target up to the first "?"
  std::string_view Query() const;  // what follows the first "?", or nothing
};

// How an answer leaves. All but the first are for stand-ins that imitate a failing server.
enum class Delivery {
  kWhole,
  kSlow,   // in pieces, over Response::spread
  kClose,  // not sent: the connection is closed, like one that was idle for too long
  kReset,  // not sent: the connection ends with a TCP reset
};

struct Response {
  int status = 200;               // 200 to 599; anything else goes out as 500
  std::string content_type = {};  // empty: the header is not sent
  std::string body = {};          // not sent for HEAD, 204 and 304
  // Further headers. Content-Length, Connection and Transfer-Encoding belong to the server; naming
  // one of them, or a name or value that would break out of its line, turns the answer into a bare
  // 500.
  std::vector<Header> headers = {};
  Delivery delivery = Delivery::kWhole;
  std::chrono::milliseconds spread{0};  // with kSlow; rounded up to the server's own clock
};

struct WireOptions {
  bool omit_body = false;  // the request was HEAD: lengths as usual, no body
  bool close = false;      // says "Connection: close"
};

// The bytes of the answer. `response.status` becomes 500 if the answer could not be sent as it
// stood.
std::string Serialize(Response& response, WireOptions options);

// Compares two header names or tokens (ASCII) without regard to case.
bool SameToken(std::string_view left, std::string_view right);

}  // namespace tocsin::http
