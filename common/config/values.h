// The text forms of settings. Each Parse takes what a person wrote and gives the value, or says
// what is wrong and how to mend it, without repeating the text: it may hold a password. All
// functions are pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "common/base/secret.h"

namespace tocsin::config {

constexpr size_t kValueLimit = 16 * 1024;  // bytes of one setting
constexpr std::chrono::milliseconds kLongestDuration = std::chrono::hours(24 * 366 * 10);

struct Complaint {
  std::string reason;  // completes "the setting …": "is not a whole number"
  std::string fix;     // an imperative sentence without its full stop
};

template <typename T>
using Parsed = tl::expected<T, Complaint>;

// A TCP end: a name, an IPv4 address or a bracketed IPv6 address, and a port. Port 0 lets the
// system choose.
struct Address {
  std::string host;  // without brackets
  std::uint16_t port = 0;

  std::string Text() const;  // "host:port", IPv6 in brackets
};

// "500ms", "5s", "2m", "3h", "1d" or a plain number of milliseconds; whole and not negative.
Parsed<std::chrono::milliseconds> ParseDuration(std::string_view text,
                                                std::chrono::milliseconds min,
                                                std::chrono::milliseconds max);
Parsed<std::int64_t> ParseInteger(std::string_view text, std::int64_t min, std::int64_t max);
Parsed<bool> ParseBoolean(std::string_view text);  // true/false, yes/no, on/off, 1/0
Parsed<Address> ParseAddress(std::string_view text);

// A line of text: no control characters, kValueLimit bytes at most.
Parsed<std::string> ParseText(std::string_view text);

// "scheme://host[:port][/path][?query]" with one of `schemes`. A user or password in it is refused:
// such a URL is a secret (ParseSecretUrl). One trailing "/" after the host is kept as written.
Parsed<std::string> ParseUrl(std::string_view text, std::span<const std::string> schemes);
// The same with user and password allowed, and with an empty host for schemes other than http and
// https.
Parsed<Secret> ParseSecretUrl(std::string_view text, std::span<const std::string> schemes);

Parsed<std::string> ParseChoice(std::string_view text, std::span<const std::string> choices);

// Values between commas, blanks around them cut. An empty value between two commas is refused.
Parsed<std::vector<std::string>> ParseList(std::string_view text);

// The form in which a default is shown to people. A secret shows nothing of itself.
std::string Shown(std::chrono::milliseconds value);
std::string Shown(std::int64_t value);
std::string Shown(bool value);
std::string Shown(const std::string& value);
std::string Shown(const Address& value);
std::string Shown(const std::vector<std::string>& value);
std::string Shown(const Secret& value);

}  // namespace tocsin::config
