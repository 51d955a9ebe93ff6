#include "tools/twilio-sim/tokens_api.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

#include "tools/twilio-sim/api_errors.h"
#include "tools/twilio-sim/json.h"
#include "tools/twilio-sim/rest_api.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

// As other hosts of Twilio's write time.
std::string Iso8601(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds.time_since_epoch().count()));
}

Reply TokenReply(int status, const std::string& account, const char* name, const Secret& token,
                 const std::string& path, WallTime now) {
  std::string json;
  ObjectWriter writer(json);
  writer.Text("account_sid", account);
  writer.Text(name, token.Reveal());
  writer.Text("date_created", Iso8601(now));
  writer.Text("date_updated", Iso8601(now));
  writer.Text("url", "https://accounts.twilio.com" + path);
  writer.Close();
  return JsonReply(status, std::move(json));
}

}  // namespace

Reply TokensApi::On(const http::Request& request, size_t account, std::string_view what,
                    WallTime now) {
  const std::lock_guard lock(state_.mutex);
  const Account& known = state_.directory.Accounts()[account];
  const std::string path(request.Path());
  if (what == "Secondary" && request.method == "POST") {
    const Dice& dice = state_.messages.Randomness();
    const std::uint64_t step = ++made_;
    state_.directory.SetSecondary(
        account, Secret(Hex16(dice.Draw(Purpose::kAuthToken, account, 2 * step)) +
                        Hex16(dice.Draw(Purpose::kAuthToken, account, 2 * step + 1))));
    return TokenReply(201, known.sid, "secondary_auth_token", known.secondary_token, path, now);
  }
  if (what == "Secondary" && request.method == "DELETE") {
    if (known.secondary_token.empty()) return ErrorReply(kNotFound);
    state_.directory.SetSecondary(account, Secret());
    return {.response = {.status = 204, .content_type = {}, .body = {}}};
  }
  if (what == "Promote" && request.method == "POST") {
    if (known.secondary_token.empty()) return ErrorReply(kNotFound);
    state_.directory.Promote(account);
    return TokenReply(200, known.sid, "auth_token", known.auth_token, path, now);
  }
  const bool ours = what == "Secondary" || what == "Promote";
  return ErrorReply(ours ? kMethodNotAllowed : kNotFound);
}

}  // namespace tocsin::sim
