// The URL of a webhook with its connection overrides.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::sim {

constexpr size_t kMaxCallbackUrl = 4000;  // characters, Twilio's limit

// `#ct=&rt=&tt=&rc=&rp=` (Twilio, "Webhooks: connection overrides"). Values out of range are
// ignored, as are `sni` and `e`, which have no meaning on loopback.
struct ConnectionOverrides {
  std::chrono::milliseconds connect{5000};  // ct, 100..10000
  std::chrono::milliseconds read{15000};    // rt, 100..15000
  std::chrono::milliseconds total{15000};   // tt, 100..15000: all attempts together
  int retries = 1;                          // rc, 0..5
  bool on_connect = true;                   // rp=ct: TCP or TLS connection failed
  bool on_read = false;                     // rp=rt: connected, but no complete response
  bool on_4xx = false;
  bool on_5xx = false;
};

struct CallbackUrl {
  std::string request;      // requested: without fragment, with user and password
  std::string signed_text;  // signed: without fragment, user and password
  std::string host;         // lower case; IPv6 in brackets
  bool has_userinfo = false;
  ConnectionOverrides overrides;

  // 127.0.0.0/8, [::1] or localhost. Does not resolve names.
  bool IsLoopback() const;
};

// Nothing unless it is http or https, with a valid host without underscore, printable ASCII, and at
// most kMaxCallbackUrl characters. Twilio returns 21609 for others.
std::optional<CallbackUrl> ParseCallbackUrl(std::string_view text);

}  // namespace tocsin::sim
