#include "common/twilio/webhooks/signature.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/base/digest.h"

namespace tocsin::twilio {
namespace {

constexpr std::string_view kBodyHash = "bodySHA256";
constexpr std::string_view kAlgorithm = "algorithm";
constexpr std::string_view kHmacSha1 = "HMAC_SHA1";

std::string_view WithoutFragment(std::string_view url) { return url.substr(0, url.find('#')); }

// The parts of a URL. Nothing is normalised, because every byte is signed.
struct UrlParts {
  std::string_view scheme;     // with "://"
  std::string_view user_info;  // with "@"; often empty
  std::string_view host;       // IPv6 in brackets
  std::string_view port;       // with ":"; often empty
  std::string_view rest;       // path and query

  static std::optional<UrlParts> Of(std::string_view url) {
    const size_t mark = url.find("://");
    if (mark == std::string_view::npos) return std::nullopt;
    UrlParts parts;
    parts.scheme = url.substr(0, mark + 3);
    url.remove_prefix(mark + 3);
    const std::string_view authority = url.substr(0, url.find_first_of("/?"));
    parts.rest = url.substr(authority.size());
    const size_t at = authority.rfind('@');
    parts.user_info = at == std::string_view::npos ? "" : authority.substr(0, at + 1);
    std::string_view host = authority.substr(parts.user_info.size());
    const size_t colon = host.rfind(':');
    const size_t bracket = host.rfind(']');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
      parts.port = host.substr(colon);
      host.remove_suffix(parts.port.size());
    }
    parts.host = host;
    return parts;
  }

  std::string Compose(std::string_view user, std::string_view with_port) const {
    return std::string(scheme).append(user).append(host).append(with_port).append(rest);
  }
};

// The variants of this URL that Twilio may have signed.
std::vector<std::string> SignedVariants(std::string_view url) {
  const auto parts = UrlParts::Of(url);
  if (!parts) return {std::string(url)};
  std::string_view port = parts->port;
  if (port.empty() && parts->scheme == "https://") port = ":443";
  if (port.empty() && parts->scheme == "http://") port = ":80";
  std::vector<std::string> variants{parts->Compose(parts->user_info, ""),
                                    parts->Compose(parts->user_info, port)};
  if (!parts->user_info.empty()) {
    variants.push_back(parts->Compose("", ""));
    variants.push_back(parts->Compose("", port));
  }
  return variants;
}

// Name and value of every distinct pair, sorted by name and then by value, as bytes. (Sorting the
// concatenated texts would put "ReasonConferenceEnded" before "Reason".)
std::string Concatenate(const FormFields& fields) {
  std::vector<std::pair<std::string_view, std::string_view>> sorted(fields.begin(), fields.end());
  std::ranges::sort(sorted);
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::string text;
  for (const auto& [name, value] : sorted) text.append(name).append(value);
  return text;
}

std::string SignText(const Secret& token, std::string_view text) {
  return Base64Encode(HmacSha1(token.Reveal(), text));
}

bool VerifyText(const Secret& token, std::string_view url, std::string_view tail,
                std::string_view signature) {
  if (token.empty()) return false;
  bool valid = false;
  for (std::string& variant : SignedVariants(WithoutFragment(url)))
    valid |= ConstantTimeEqual(SignText(token, variant.append(tail)), signature);
  return valid;
}

// `url` without the bodySHA256 pairs of its query; all other bytes are unchanged.
std::string WithoutBodyHash(std::string_view url) {
  const size_t mark = url.find('?');
  if (mark == std::string_view::npos) return std::string(url);
  std::string kept(url.substr(0, mark));
  char separator = '?';
  for (size_t begin = mark + 1; begin <= url.size();) {
    const std::string_view pair = url.substr(begin, url.find('&', begin) - begin);
    begin += pair.size() + 1;
    if (pair.substr(0, pair.find('=')) == kBodyHash) continue;
    kept += separator;
    kept += pair;
    separator = '&';
  }
  return kept;
}

std::string_view BodyHashOf(std::string_view url) {
  url = WithoutFragment(url);
  const size_t mark = url.find('?');
  std::string_view query = mark == std::string_view::npos ? "" : url.substr(mark + 1);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == kBodyHash)
      return equals == std::string_view::npos ? "" : pair.substr(equals + 1);
  }
  return "";
}

bool HashMatches(std::string_view url, std::string_view body) {
  return ConstantTimeEqual(HexEncode(Sha256(body)), BodyHashOf(url));
}

records::v1::SigningToken SigningTokenOf(const Account& account, std::string_view url,
                                         std::string_view tail, std::string_view signature) {
  if (VerifyText(account.auth_token, url, tail, signature))
    return records::v1::SIGNING_TOKEN_PRIMARY;
  if (VerifyText(account.secondary_auth_token, url, tail, signature))
    return records::v1::SIGNING_TOKEN_SECONDARY;
  return records::v1::SIGNING_TOKEN_UNSPECIFIED;
}

}  // namespace

std::string Sign(const Secret& token, std::string_view url, const FormFields& fields) {
  return SignText(token, std::string(WithoutFragment(url)).append(Concatenate(fields)));
}

std::string WithBodyHash(std::string_view url, std::string_view body) {
  std::string result = WithoutBodyHash(WithoutFragment(url));
  result += result.find('?') == std::string::npos ? '?' : '&';
  return result.append(kBodyHash).append("=").append(HexEncode(Sha256(body)));
}

bool VerifyForm(const Secret& token, std::string_view url, const FormFields& fields,
                std::string_view signature) {
  return VerifyText(token, url, Concatenate(fields), signature);
}

bool VerifyJson(const Secret& token, std::string_view url, std::string_view body,
                std::string_view signature) {
  return HashMatches(url, body) && VerifyText(token, url, "", signature);
}

bool IsSignedByToken(std::string_view settings) {
  while (!settings.empty()) {
    std::string_view pair = settings.substr(0, settings.find(','));
    settings.remove_prefix(std::min(settings.size(), pair.size() + 1));
    pair.remove_prefix(std::min(pair.size(), pair.find_first_not_of(" \t")));
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) != kAlgorithm) continue;
    if (equals == std::string_view::npos || pair.substr(equals + 1) != kHmacSha1) return false;
  }
  return true;
}

records::v1::SigningToken SigningTokenOfForm(const Account& account, std::string_view url,
                                             const FormFields& fields, std::string_view signature) {
  return SigningTokenOf(account, url, Concatenate(fields), signature);
}

records::v1::SigningToken SigningTokenOfJson(const Account& account, std::string_view url,
                                             std::string_view body, std::string_view signature) {
  return HashMatches(url, body) ? SigningTokenOf(account, url, "", signature)
                                : records::v1::SIGNING_TOKEN_UNSPECIFIED;
}

}  // namespace tocsin::twilio
