#include "common/twilio/message_list.h"

#include <curl/curl.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/encoding.h"
#include "common/twilio/webhook.h"

namespace tocsin::twilio {
namespace {

using nlohmann::json;

std::string TextOf(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

tl::unexpected<Error> Unreadable() {
  return Fail(ErrorCode::kTwilioApiError, "Twilio's list of messages cannot be read");
}

bool SentBy(const json& message, const Sender& sender) {
  if (TextOf(message, "direction") != "outbound-api") return false;
  if (!sender.messaging_service_sid.empty())
    return TextOf(message, "messaging_service_sid") == sender.messaging_service_sid;
  return TextOf(message, "from") == sender.number;
}

// Adds what fits; says whether older pages may hold more.
Result<bool> AddPage(const json& page, const TakenQuery& query, std::vector<TakenEntry>& entries) {
  const auto messages = page.find("messages");
  if (messages == page.end() || !messages->is_array()) return Unreadable();
  bool older = false;
  for (const json& message : *messages) {
    if (!message.is_object()) return Unreadable();
    const std::time_t seconds = curl_getdate(TextOf(message, "date_created").c_str(), nullptr);
    std::string sid = TextOf(message, "sid");
    if (seconds < 0 || !(IsSid(sid, "SM") || IsSid(sid, "MM"))) return Unreadable();
    const WallTime created{std::chrono::seconds(seconds)};
    older = older || created >= query.from;
    if (created < query.from || created > query.until || !SentBy(message, query.sender)) continue;
    entries.push_back({std::move(sid), created, Pii(TextOf(message, "body"))});
  }
  return older;
}

}  // namespace

Result<std::vector<TakenEntry>> MessageList::ListTaken(const TakenQuery& query,
                                                       SteadyTime deadline) {
  FormFields filters{{"To", query.to.Reveal()}, {"PageSize", std::to_string(kListPageSize)}};
  std::string path = "/2010-04-01/Accounts/" + PercentEncode(query.account.sid) +
                     "/Messages.json?" + FormEncode(filters);
  std::vector<TakenEntry> entries;
  for (int pages = 0; pages < kMaxListPages; ++pages) {
    TOCSIN_TRY(const std::string body, rest_.Get(query.account, path, deadline));
    const json page = json::parse(body, nullptr, /*allow_exceptions=*/false);
    if (!page.is_object()) return Unreadable();
    TOCSIN_TRY(const bool older, AddPage(page, query, entries));
    path = TextOf(page, "next_page_uri");
    if (!older || path.empty()) return entries;
    if (!path.starts_with('/')) return Unreadable();  // never credentials to another host
  }
  return Fail(ErrorCode::kTwilioApiError, "Twilio's list of messages is too long");
}

}  // namespace tocsin::twilio
