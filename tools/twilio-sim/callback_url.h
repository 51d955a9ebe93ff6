// The address of a webhook as a customer of Twilio writes it, connection overrides included.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::sim {

constexpr size_t kMaxCallbackUrl = 4000;  // characters, Twilio's limit

// `#ct=&rt=&tt=&rc=&rp=` (Twilio, "Webhooks: connection overrides"). Values out of range keep the
// default, as do `sni` and `e`, which have no meaning on loopback.
struct Overrides {
  std::chrono::milliseconds connect{5000};  // ct, 100..10000
  std::chrono::milliseconds read{15000};    // rt, 100..15000
  std::chrono::milliseconds total{15000};   // tt, 100..15000: all tries together
  int retries = 1;                          // rc, 0..5
  bool on_connect = true;                   // rp=ct: no connection or no TLS
  bool on_read = false;                     // rp=rt: connected, no whole answer
  bool on_4xx = false;
  bool on_5xx = false;
};

struct CallbackUrl {
  std::string request;      // what is fetched: no fragment; user and password still in it
  std::string signed_text;  // what is signed: no fragment, no user and password
  std::string host;         // lower case, brackets of IPv6 kept
  bool has_userinfo = false;
  Overrides overrides;

  // 127.0.0.0/8, [::1] or the name localhost; no name is looked up for it.
  bool IsLoopback() const;
};

// http or https, a valid host without underscore, printable ASCII, kMaxCallbackUrl at most: else
// nothing, which Twilio answers with 21609.
std::optional<CallbackUrl> ParseCallbackUrl(std::string_view text);

}  // namespace tocsin::sim
