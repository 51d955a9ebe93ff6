#include "tools/twilio-sim/rest_api.h"

#include <array>
#include <mutex>
#include <utility>
#include <vector>

#include "common/base/encoding.h"
#include "tools/twilio-sim/api_errors.h"
#include "tools/twilio-sim/resource.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kBasic = "Basic ";

struct Credentials {
  std::string user;
  std::string password;
};

std::optional<Credentials> ReadBasic(const http::Request& request) {
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

// Takes ".json" off; false when it is not there.
bool TakeJson(std::string_view& name) {
  constexpr std::string_view kSuffix = ".json";
  if (!name.ends_with(kSuffix)) return false;
  name.remove_suffix(kSuffix.size());
  return true;
}

Reply NotFound(const std::string& path) {
  return ErrorReply(kNotFound, "The requested resource " + path + " was not found");
}

}  // namespace

Reply JsonReply(int status, std::string json) {
  return {
      .response = {.status = status, .content_type = "application/json", .body = std::move(json)}};
}

Reply ErrorReply(int code, const std::string& message) {
  const int status = ErrorOf(code).http_status;
  Reply reply = JsonReply(status, ErrorJson(code, message, status));
  if (code == kBadCredentials) {
    reply.response.headers.push_back({"WWW-Authenticate", "Basic realm=\"Twilio API\""});
  }
  return reply;
}

Reply ErrorReply(int code) { return ErrorReply(code, std::string(ErrorOf(code).message)); }

bool RestApi::Authenticate(const http::Request& request, size_t& account) const {
  const auto credentials = ReadBasic(request);
  if (!credentials) return false;
  const std::lock_guard lock(state_.mutex);
  const auto user = state_.directory.AccountOf(credentials->user);
  if (!user) return false;
  account = *user;
  return state_.directory.Authenticates(account, credentials->password);
}

Reply RestApi::Route(const http::Request& request, const std::string& path, std::uint64_t in_flight,
                     WallTime now) {
  size_t account = 0;
  const bool known = Authenticate(request, account);

  // /2010-04-01/Accounts/{AccountSid}/{resource}.json or .../{resource}/{Sid}.json
  std::vector<std::string_view> parts = Split(path);
  const bool shaped = (parts.size() == 4 || parts.size() == 5) && parts[0] == kApiVersion &&
                      parts[1] == "Accounts" && TakeJson(parts.back());
  if (!known) {
    const bool create = shaped && parts.size() == 4 && request.method == "POST";
    if (create && parts[3] == "Messages") messages_.NoteUnauthenticated(request, now);
    if (create && parts[3] == "Calls") calls_.NoteUnauthenticated(request, now);
    return ErrorReply(kBadCredentials);
  }
  if (parts.size() == 3 && parts[0] == "v1" && parts[1] == "AuthTokens") {
    return tokens_.On(request, account, parts[2], now);
  }
  if (!shaped || parts[2] != state_.directory.Accounts()[account].sid) return NotFound(path);
  if (parts[3] == "Messages") {
    return parts.size() == 4 ? messages_.OnCollection(request, account, in_flight, now)
                             : messages_.OnItem(request, account, std::string(parts[4]), now);
  }
  if (parts[3] == "Calls") {
    return parts.size() == 4 ? calls_.OnCollection(request, account, in_flight, now)
                             : calls_.OnItem(request, account, std::string(parts[4]), now);
  }
  return NotFound(path);
}

Reply RestApi::Answer(const http::Request& request, std::uint64_t in_flight, WallTime now) {
  return Route(request, std::string(request.Path()), in_flight, now);
}

}  // namespace tocsin::sim
