#include "tools/twilio-sim/api/tokens_api.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

#include "tools/twilio-sim/api/api_errors.h"
#include "tools/twilio-sim/json_writer.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

// The time format of accounts.twilio.com.
std::string Iso8601(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds.time_since_epoch().count()));
}

ApiResponse TokenResponse(int status, const std::string& account, const char* name,
                          const Secret& token, const std::string& path, WallTime now) {
  std::string json;
  ObjectWriter writer(json);
  writer.Text("account_sid", account);
  writer.Text(name, token.Reveal());
  writer.Text("date_created", Iso8601(now));
  writer.Text("date_updated", Iso8601(now));
  writer.Text("url", "https://accounts.twilio.com" + path);
  writer.Close();
  return JsonResponse(status, std::move(json));
}

}  // namespace

ApiResponse TokensApi::Handle(const http::Request& request, size_t account,
                              std::string_view operation, WallTime now) {
  const std::lock_guard lock(state_.mutex);
  const Account& existing = state_.directory.Accounts()[account];
  const std::string path(request.Path());
  if (operation == "Secondary" && request.method == "POST") {
    const SeededRandom& random = state_.messages.Random();
    const std::uint64_t step = ++tokens_made_;
    state_.directory.SetSecondary(
        account, Secret(Hex16(random.Draw(Purpose::kAuthToken, account, 2 * step)) +
                        Hex16(random.Draw(Purpose::kAuthToken, account, 2 * step + 1))));
    return TokenResponse(201, existing.sid, "secondary_auth_token", existing.secondary_token, path,
                         now);
  }
  if (operation == "Secondary" && request.method == "DELETE") {
    if (existing.secondary_token.empty()) return ErrorResponse(kNotFound);
    state_.directory.SetSecondary(account, Secret());
    return NoContentResponse();
  }
  if (operation == "Promote" && request.method == "POST") {
    if (existing.secondary_token.empty()) return ErrorResponse(kNotFound);
    state_.directory.Promote(account);
    return TokenResponse(200, existing.sid, "auth_token", existing.auth_token, path, now);
  }
  const bool known_operation = operation == "Secondary" || operation == "Promote";
  return ErrorResponse(known_operation ? kMethodNotAllowed : kNotFound);
}

}  // namespace tocsin::sim
