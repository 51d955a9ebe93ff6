#include "common/config/values.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>

namespace tocsin::config {
namespace {

tl::unexpected<ParseError> Refuse(std::string reason, std::string fix) {
  return tl::unexpected<ParseError>(ParseError{std::move(reason), std::move(fix)});
}

std::string_view Trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string Joined(std::span<const std::string> words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

bool IsHost(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
  });
}

bool IsIpv6(std::string_view host) {
  return !host.empty() && host.find(':') != std::string_view::npos &&
         std::all_of(host.begin(), host.end(), [](unsigned char c) {
           return std::isxdigit(c) != 0 || c == ':' || c == '.' || c == '%';
         });
}

struct UrlParts {
  std::string_view scheme, user, host;
  bool port_is_valid = true;
};

std::optional<UrlParts> SplitUrl(std::string_view url) {
  const size_t colon = url.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  UrlParts parts;
  parts.scheme = url.substr(0, colon);
  std::string_view authority = url.substr(colon + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    parts.user = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  const size_t bracket = authority.rfind(']');
  const size_t port = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  parts.host = authority.substr(0, port);
  if (port != std::string_view::npos) {
    const auto number = ParseNumber<std::uint16_t>(authority.substr(port + 1));
    parts.port_is_valid = number && *number != 0;
  }
  return parts;
}

// The error of a URL, except that it does not check for a password.
std::optional<ParseError> CheckUrl(std::string_view text, std::span<const std::string> schemes,
                                   const std::optional<UrlParts>& parts, bool host_may_be_empty) {
  const std::string allowed = Joined(schemes, ", ");
  const auto is_invalid = [](char c) { return IsControl(c) || c == ' ' || c == '#'; };
  if (text.size() > kValueLimit || std::any_of(text.begin(), text.end(), is_invalid))
    return ParseError{"contains a space, a control character or a fragment",
                      "percent-encode special characters"};
  if (!parts || std::find(schemes.begin(), schemes.end(), parts->scheme) == schemes.end())
    return ParseError{"is not a URL with an allowed scheme",
                      "write SCHEME://HOST[:PORT]; schemes: " + allowed};
  if (!parts->port_is_valid)
    return ParseError{"has a port that is not a number from 1 to 65535", "write HOST:PORT"};
  const bool bracketed = parts->host.size() > 2 && parts->host.front() == '[' &&
                         parts->host.back() == ']' &&
                         IsIpv6(parts->host.substr(1, parts->host.size() - 2));
  if (!IsHost(parts->host) && !bracketed && !(host_may_be_empty && parts->host.empty()))
    return ParseError{"has no valid host", "write SCHEME://HOST[:PORT]"};
  return std::nullopt;
}

}  // namespace

std::string Address::Text() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

Parsed<std::chrono::milliseconds> ParseDuration(std::string_view text,
                                                std::chrono::milliseconds min,
                                                std::chrono::milliseconds max) {
  struct Unit {
    std::string_view name;
    std::int64_t millis;
  };
  static constexpr std::array<Unit, 6> kUnits{
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}, {"", 1}}};
  text = Trim(text);
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = ParseNumber<std::int64_t>(text.substr(0, digits));
  const std::string_view name = Trim(text.substr(digits));
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                 [name](const Unit& known) { return known.name == name; });
  const std::string range = "write a duration from " + TextOf(min) + " to " + TextOf(max);
  if (!number || unit == kUnits.end())
    return Refuse("is not a duration", range + ", as in 500ms, 5s, 2m, 1h or 500 (milliseconds)");
  if (*number > kLongestDuration.count() / unit->millis) return Refuse("is out of range", range);
  const std::chrono::milliseconds value(*number * unit->millis);
  if (value < min || value > max) return Refuse("is out of range", range);
  return value;
}

Parsed<std::int64_t> ParseInteger(std::string_view text, std::int64_t min, std::int64_t max) {
  const auto number = ParseNumber<std::int64_t>(Trim(text));
  const std::string fix =
      "write an integer from " + std::to_string(min) + " to " + std::to_string(max);
  if (!number) return Refuse("is not an integer", fix);
  if (*number < min || *number > max) return Refuse("is out of range", fix);
  return *number;
}

Parsed<Address> ParseAddress(std::string_view text) {
  text = Trim(text);
  const std::string fix = "write HOST:PORT, as in 127.0.0.1:8080, host.example:443 or [::1]:8080";
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Refuse("has no port", fix);
  const auto port = ParseNumber<std::uint16_t>(text.substr(colon + 1));
  if (!port) return Refuse("has a port that is not a number from 0 to 65535", fix);
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (!IsIpv6(host)) return Refuse("has brackets without an IPv6 address", fix);
  } else if (!IsHost(host)) {
    return Refuse("has no valid host", fix);
  }
  return Address{std::string(host), *port};
}

Parsed<std::string> ParseText(std::string_view text) {
  if (text.size() > kValueLimit)
    return Refuse("is too long", "write " + std::to_string(kValueLimit) + " bytes at most");
  if (std::any_of(text.begin(), text.end(), IsControl))
    return Refuse("contains a control character", "write one line of text");
  return std::string(text);
}

Parsed<std::string> ParseUrl(std::string_view text, std::span<const std::string> schemes) {
  text = Trim(text);
  const auto parts = SplitUrl(text);
  if (const auto error = CheckUrl(text, schemes, parts, false))
    return tl::unexpected<ParseError>(*error);
  if (!parts->user.empty())
    return Refuse("contains a user or a password", "remove the part before the @");
  return std::string(text);
}

Parsed<Secret> ParseSecretUrl(std::string_view text, std::span<const std::string> schemes) {
  text = Trim(text);
  const auto parts = SplitUrl(text);
  const bool web = parts && (parts->scheme == "http" || parts->scheme == "https");
  if (const auto error = CheckUrl(text, schemes, parts, !web))
    return tl::unexpected<ParseError>(*error);
  return Secret(std::string(text));
}

Parsed<std::string> ParseChoice(std::string_view text, std::span<const std::string> choices) {
  const std::string word(Trim(text));
  if (std::find(choices.begin(), choices.end(), word) == choices.end())
    return Refuse("is not an allowed value", "write one of: " + Joined(choices, ", "));
  return word;
}

std::string TextOf(std::chrono::milliseconds value) {
  const std::int64_t millis = value.count();
  if (millis != 0 && millis % 86'400'000 == 0) return std::to_string(millis / 86'400'000) + "d";
  if (millis != 0 && millis % 3'600'000 == 0) return std::to_string(millis / 3'600'000) + "h";
  if (millis != 0 && millis % 60'000 == 0) return std::to_string(millis / 60'000) + "m";
  if (millis != 0 && millis % 1000 == 0) return std::to_string(millis / 1000) + "s";
  return std::to_string(millis) + "ms";
}

std::string TextOf(std::int64_t value) { return std::to_string(value); }
std::string TextOf(const std::string& value) { return value.empty() ? "empty" : value; }
std::string TextOf(const Address& value) { return value.Text(); }
std::string TextOf(const Secret& value) { return value.empty() ? "none" : "hidden"; }

}  // namespace tocsin::config
