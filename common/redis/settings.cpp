#include "common/redis/settings.h"

#include <charconv>
#include <optional>

#include "common/base/encoding.h"

namespace tocsin::redis {
namespace {

constexpr std::string_view kScheme = "redis://";
constexpr int kMaxDatabase = 1023;
constexpr int kMaxPort = 65535;

auto Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidConfig, std::move(message), "TOCSIN_REDIS_URL");
}

std::optional<int> ParseNumber(std::string_view text, int min, int max) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (number < min || number > max) return std::nullopt;
  return number;
}

Result<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += text[at];
      continue;
    }
    if (at + 2 >= text.size()) return Invalid("incomplete percent encoding");
    const auto byte = HexDecode(text.substr(at + 1, 2));
    if (!byte) return Invalid("percent encoding is not hexadecimal");
    decoded += *byte;
    at += 2;
  }
  return decoded;
}

Status ParseCredentials(std::string_view text, Settings& settings) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return Invalid("the part before @ must be :password or user:password");
  TOCSIN_TRY(settings.user, PercentDecode(text.substr(0, colon)));
  TOCSIN_TRY(std::string password, PercentDecode(text.substr(colon + 1)));
  settings.password = Secret(std::move(password));
  return {};
}

Status ParseAddress(std::string_view text, Settings& settings) {
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return Invalid("IPv6 address without a closing bracket");
    settings.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return Invalid("malformed address");
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return Invalid("no port after the colon");
  } else {
    const size_t colon = text.find(':');
    settings.host = text.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.empty()) return Invalid("no port after the colon");
    }
  }
  if (settings.host.empty()) return Invalid("no host");
  if (port.empty()) return {};
  const auto number = ParseNumber(port, 1, kMaxPort);
  if (!number) return Invalid("the port must be a number from 1 to 65535");
  settings.port = static_cast<std::uint16_t>(*number);
  return {};
}

}  // namespace

Result<Settings> ParseUrl(std::string_view url) {
  if (url.starts_with("rediss://"))
    return Invalid("TLS is not supported: use a tunnel, and give its local end as redis://");
  if (!url.starts_with(kScheme)) return Invalid("must begin with redis://");
  url.remove_prefix(kScheme.size());

  Settings settings;
  if (const size_t at = url.rfind('@'); at != std::string_view::npos) {
    TOCSIN_CHECK_OK(ParseCredentials(url.substr(0, at), settings));
    url.remove_prefix(at + 1);
  }
  const size_t slash = url.find('/');
  TOCSIN_CHECK_OK(ParseAddress(url.substr(0, slash), settings));
  if (slash != std::string_view::npos && slash + 1 < url.size()) {
    const auto database = ParseNumber(url.substr(slash + 1), 0, kMaxDatabase);
    if (!database) return Invalid("the database must be a number from 0 to 1023");
    settings.database = *database;
  }
  return settings;
}

}  // namespace tocsin::redis
