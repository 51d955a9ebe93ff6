#include "tools/twilio-sim/webhooks/callback_url.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace tocsin::sim {
namespace {

// An integer from `min` to `max`, or `otherwise`.
int Bounded(std::string_view text, int min, int max, int otherwise) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool valid = error == std::errc() && end == text.data() + text.size();
  return valid && value >= min && value <= max ? value : otherwise;
}

std::chrono::milliseconds BoundedMs(std::string_view text, int max,
                                    std::chrono::milliseconds otherwise) {
  return std::chrono::milliseconds(Bounded(text, 100, max, static_cast<int>(otherwise.count())));
}

// Removes the text up to `separator` and returns it, or all of it.
std::string_view SplitOff(std::string_view& text, char separator) {
  const size_t at = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

void ParsePolicies(std::string_view list, ConnectionOverrides& overrides) {
  overrides.on_connect = false;
  while (!list.empty()) {
    const std::string_view policy = SplitOff(list, ',');
    const bool all = policy == "all";
    overrides.on_connect |= all || policy == "ct";
    overrides.on_read |= all || policy == "rt";
    overrides.on_4xx |= all || policy == "4xx";
    overrides.on_5xx |= all || policy == "5xx";
  }
}

ConnectionOverrides ParseOverrides(std::string_view fragment) {
  ConnectionOverrides overrides;
  while (!fragment.empty()) {
    std::string_view value = SplitOff(fragment, '&');
    const std::string_view name = SplitOff(value, '=');
    if (name == "ct") overrides.connect = BoundedMs(value, 10000, overrides.connect);
    if (name == "rt") overrides.read = BoundedMs(value, 15000, overrides.read);
    if (name == "tt") overrides.total = BoundedMs(value, 15000, overrides.total);
    if (name == "rc") overrides.retries = Bounded(value, 0, 5, overrides.retries);
    if (name == "rp") ParsePolicies(value, overrides);
  }
  return overrides;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

bool IsHostName(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.front() == '.' || host.front() == '-') return false;
  if (host.find("..") != std::string_view::npos) return false;
  return std::all_of(host.begin(), host.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '-'; });
}

bool IsIpv6Literal(std::string_view host) {
  return host.size() > 4 && host.front() == '[' && host.back() == ']' &&
         std::all_of(host.begin() + 1, host.end() - 1,
                     [](unsigned char c) { return std::isxdigit(c) != 0 || c == ':' || c == '.'; });
}

// Parses "host:port"; false if either is invalid.
bool ParseHost(std::string_view authority, std::string& host) {
  const size_t bracket = authority.find(']');
  const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  host = Lower(authority.substr(0, colon));
  if (colon != std::string_view::npos && Bounded(authority.substr(colon + 1), 1, 65535, 0) == 0) {
    return false;
  }
  return IsHostName(host) || IsIpv6Literal(host);
}

}  // namespace

bool CallbackUrl::IsLoopback() const {
  if (host == "localhost" || host == "[::1]") return true;
  return host.starts_with("127.") && std::all_of(host.begin(), host.end(), [](unsigned char c) {
           return std::isdigit(c) != 0 || c == '.';
         });
}

std::optional<CallbackUrl> ParseCallbackUrl(std::string_view text) {
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (text.size() > kMaxCallbackUrl || !printable) return std::nullopt;
  const size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  const std::string scheme = Lower(text.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") return std::nullopt;

  CallbackUrl url;
  const size_t hash = std::min(text.find('#'), text.size());
  if (hash < text.size()) url.overrides = ParseOverrides(text.substr(hash + 1));
  url.request = text.substr(0, hash);
  const size_t start = scheme_end + 3;
  const size_t end = std::min(url.request.find_first_of("/?", start), url.request.size());
  std::string_view authority = std::string_view(url.request).substr(start, end - start);
  const size_t at = authority.rfind('@');
  url.has_userinfo = at != std::string_view::npos;
  if (url.has_userinfo) authority.remove_prefix(at + 1);
  if (!ParseHost(authority, url.host)) return std::nullopt;
  url.signed_text = url.request.substr(0, start);
  url.signed_text += authority;
  url.signed_text += url.request.substr(end);
  return url;
}

}  // namespace tocsin::sim
