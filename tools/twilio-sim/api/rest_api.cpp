#include "tools/twilio-sim/api/rest_api.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/encoding.h"
#include "tools/twilio-sim/api/api_errors.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kBasic = "Basic ";
constexpr std::string_view kJsonSuffix = ".json";

struct Credentials {
  std::string user;
  std::string password;
};

std::optional<Credentials> ParseBasicCredentials(const http::Request& request) {
  const auto header = request.Find("Authorization");
  if (!header || header->size() < kBasic.size() ||
      !http::SameToken(header->substr(0, kBasic.size()), kBasic)) {
    return std::nullopt;
  }
  const auto decoded = Base64Decode(header->substr(kBasic.size()));
  if (!decoded) return std::nullopt;
  const size_t colon = decoded->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Credentials{decoded->substr(0, colon), decoded->substr(colon + 1)};
}

std::vector<std::string_view> Split(std::string_view path) {
  std::vector<std::string_view> parts;
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// For /2010-04-01/Accounts/{AccountSid}/{resource}.json and .../{resource}/{Sid}.json: the parts
// without ".json". Empty for other paths.
std::vector<std::string_view> ResourceParts(std::vector<std::string_view> parts) {
  const bool is_resource = (parts.size() == 4 || parts.size() == 5) && parts[0] == kApiVersion &&
                           parts[1] == "Accounts" && parts.back().ends_with(kJsonSuffix);
  if (!is_resource) return {};
  parts.back().remove_suffix(kJsonSuffix.size());
  return parts;
}

}  // namespace

bool RestApi::Authenticate(const http::Request& request, size_t& account) const {
  const auto credentials = ParseBasicCredentials(request);
  if (!credentials) return false;
  const std::lock_guard lock(state_.mutex);
  const auto user = state_.directory.AccountOf(credentials->user);
  if (!user) return false;
  account = *user;
  return state_.directory.Authenticates(account, credentials->password);
}

ApiResponse RestApi::Handle(const http::Request& request, std::uint64_t in_flight, WallTime now) {
  const std::vector<std::string_view> path = Split(request.Path());
  const std::vector<std::string_view> parts = ResourceParts(path);
  size_t account = 0;
  if (!Authenticate(request, account)) {
    const bool create = parts.size() == 4 && request.method == "POST";
    if (create && parts[3] == "Messages") messages_.LogUnauthenticated(request, now);
    if (create && parts[3] == "Calls") calls_.LogUnauthenticated(request, now);
    return ErrorResponse(kBadCredentials);
  }
  if (path.size() == 3 && path[0] == "v1" && path[1] == "AuthTokens") {
    return tokens_.Handle(request, account, path[2], now);
  }
  return Route(request, account, parts, in_flight, now);
}

ApiResponse RestApi::Route(const http::Request& request, size_t account,
                           const std::vector<std::string_view>& parts, std::uint64_t in_flight,
                           WallTime now) {
  const bool own = !parts.empty() && parts[2] == state_.directory.Accounts()[account].sid;
  if (own && parts[3] == "Messages") {
    return parts.size() == 4 ? messages_.OnCollection(request, account, in_flight, now)
                             : messages_.OnItem(request, account, std::string(parts[4]), now);
  }
  if (own && parts[3] == "Calls") {
    return parts.size() == 4 ? calls_.OnCollection(request, account, in_flight, now)
                             : calls_.OnItem(request, account, std::string(parts[4]), now);
  }
  return ErrorResponse(kNotFound,
                       "The requested resource " + std::string(request.Path()) + " was not found");
}

}  // namespace tocsin::sim
