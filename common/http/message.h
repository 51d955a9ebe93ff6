// HTTP/1.1 requests and responses (RFC 9110, RFC 9112).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::http {

struct Header {
  std::string name;   // as received; compare with SameToken()
  std::string value;  // without leading and trailing whitespace
};

// A well-formed request. Nothing is decoded: signatures are computed over the raw bytes.
struct Request {
  std::string method =
      {};  // a token in its own case: "GET", "POST", or an unknown one; never "HEAD"
  std::string target = {};           // origin-form ("/path?query"), raw
  std::vector<Header> headers = {};  // in the order received, with repetitions
  std::string body = {};             // after chunked decoding
  std::string peer_address = {};     // numeric IP address of the client, without port
  bool reused = false;               // not the first request of its connection

  // The value of the header if it is present exactly once. Nothing if it is repeated: which value
  // counts would be a guess.
  std::optional<std::string_view> Find(std::string_view name) const;

  std::string_view Path() const;   // the target up to the first "?"
  std::string_view Query() const;  // the part after the first "?"; empty if there is none
};

// How a response is sent. All but kNormal are for simulators of a failing server.
enum class Delivery {
  kNormal,
  kSlow,   // in pieces, over Response::send_duration
  kClose,  // not sent: the connection is closed, as after the idle timeout
  kReset,  // not sent: the connection is reset
};

struct Response {
  int status = 200;               // 200 to 599; any other value is sent as 500
  std::string content_type = {};  // empty: no Content-Type header
  std::string body = {};          // not sent for HEAD, 204 and 304
  // Further headers. A response with Content-Length, Connection or Transfer-Encoding (which the
  // server sets itself), or with an invalid name or value (header injection), is sent as an empty
  // 500.
  std::vector<Header> headers = {};
  Delivery delivery = Delivery::kNormal;
  std::chrono::milliseconds send_duration{0};  // with kSlow; rounded up to the timer interval
};

struct SerializeOptions {
  bool omit_body = false;  // response to HEAD: same headers, no body
  bool close = false;      // adds "Connection: close"
};

// The bytes of the response. Sets `response.status` to 500 if the response is invalid.
std::string Serialize(Response& response, SerializeOptions options);

// Compares two header names or tokens (ASCII), ignoring case.
bool SameToken(std::string_view left, std::string_view right);

}  // namespace tocsin::http
