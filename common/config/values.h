// The text forms of settings. Each Parse function returns the value, or an error with the reason
// and the fix. Errors never contain the text: it may be a password. All functions are pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "common/base/secret.h"

namespace tocsin::config {

constexpr size_t kValueLimit = 16 * 1024;  // bytes of one setting
constexpr std::chrono::milliseconds kLongestDuration = std::chrono::hours(24 * 366 * 10);

struct ParseError {
  std::string reason;  // completes "the setting …": "is not an integer"
  std::string fix;     // an imperative without a period
};

template <typename T>
using Parsed = tl::expected<T, ParseError>;

// A TCP address: a host name, an IPv4 address or a bracketed IPv6 address, and a port. Port 0: any
// free port.
struct Address {
  std::string host;  // without brackets
  std::uint16_t port = 0;

  std::string Text() const;  // "host:port", IPv6 in brackets
};

// "500ms", "5s", "2m", "3h", "1d" or a number of milliseconds; integers that are not negative.
Parsed<std::chrono::milliseconds> ParseDuration(std::string_view text,
                                                std::chrono::milliseconds min,
                                                std::chrono::milliseconds max);
Parsed<std::int64_t> ParseInteger(std::string_view text, std::int64_t min, std::int64_t max);
Parsed<Address> ParseAddress(std::string_view text);

// One line of text: no control characters, at most kValueLimit bytes.
Parsed<std::string> ParseText(std::string_view text);

// "scheme://host[:port][/path][?query]" with one of `schemes`. Refuses a user or password: such a
// URL is a secret (ParseSecretUrl). Keeps a trailing "/".
Parsed<std::string> ParseUrl(std::string_view text, std::span<const std::string> schemes);
// Also accepts a user and a password, and an empty host unless the scheme is http or https.
Parsed<Secret> ParseSecretUrl(std::string_view text, std::span<const std::string> schemes);

Parsed<std::string> ParseChoice(std::string_view text, std::span<const std::string> choices);

// A default as the documentation shows it. Hides a secret.
std::string TextOf(std::chrono::milliseconds value);
std::string TextOf(std::int64_t value);
std::string TextOf(const std::string& value);
std::string TextOf(const Address& value);
std::string TextOf(const Secret& value);

}  // namespace tocsin::config
