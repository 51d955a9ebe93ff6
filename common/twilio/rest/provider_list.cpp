#include "common/twilio/rest/provider_list.h"

#include <array>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/twilio/rest/json_fields.h"
#include "common/twilio/rest/list_pages.h"
#include "common/twilio/sid.h"

namespace tocsin::twilio {
namespace {

constexpr int kControlPageSize = 20;

// Lists are sorted newest first, but it is not documented whether by creation or by sending, which
// may be ten hours later. Older entries than this before the wanted time end the reading.
constexpr std::chrono::hours kOrderTolerance{24};

// A message to the account. Its other messages count as sent, also with unknown directions.
bool WasReceived(const nlohmann::json& message) {
  return StringMember(message, "direction") == "inbound";
}

// E.164 without redacted digits.
bool IsWholeNumber(const std::string& number) {
  return number.size() > 1 && number.front() == '+' &&
         number.find_first_not_of("0123456789", 1) == std::string::npos;
}

bool WasSentBy(const nlohmann::json& message, const Sender& sender) {
  if (StringMember(message, "direction") != "outbound-api") return false;
  if (!sender.messaging_service_sid.empty())
    return StringMember(message, "messaging_service_sid") == sender.messaging_service_sid;
  return StringMember(message, "from") == sender.number;
}

bool WasPlacedBy(const nlohmann::json& call, const Sender& sender) {
  return StringMember(call, "direction") == "outbound-api" &&
         StringMember(call, "from") == sender.number;
}

// The UTC day in the form of Twilio's filters: 2026-03-01.
std::string DayOf(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 16> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d", &utc)};
}

}  // namespace

Task<Result<std::vector<ProviderListEntry>>> MessageList::List(const ProviderListQuery& query,
                                                               SteadyTime deadline) {
  std::vector<ProviderListEntry> entries;
  const auto handle = [&](const nlohmann::json& message) -> Result<bool> {
    std::string sid = StringMember(message, "sid");
    if (!IsMessageSid(sid)) return InvalidList();
    TOCSIN_TRY(const WallTime created, ParseDate(StringMember(message, "date_created")));
    if (created >= query.from && created <= query.until && !WasReceived(message))
      entries.push_back({std::move(sid), created, Pii(StringMember(message, "body")),
                         WasSentBy(message, query.sender)});
    return created >= query.from - kOrderTolerance;
  };
  const ListRequest request{.account = query.account,
                            .resource = "Messages.json",
                            .member = "messages",
                            .filters = {{"To", query.to.Reveal()}}};
  const EntryHandler handler = handle;
  TOCSIN_CO_CHECK_OK(co_await ReadList(client_, request, deadline, handler));
  co_return entries;
}

// One page of the account's newest messages.
Task<Result<bool>> MessageList::ShowsRecipients(const Account& account, SteadyTime deadline) {
  const std::string path = "/2010-04-01/Accounts/" + PercentEncode(account.sid) +
                           "/Messages.json?PageSize=" + std::to_string(kControlPageSize);
  TOCSIN_CO_TRY(const nlohmann::json page,
                co_await ReadPage(client_, account, path, deadline, kControlPageSize));
  const auto messages = page.find("messages");
  if (messages == page.end() || !messages->is_array()) co_return InvalidList();
  bool any = false;
  for (const nlohmann::json& message : *messages) {
    if (!message.is_object() || WasReceived(message)) continue;
    if (!IsWholeNumber(StringMember(message, "to"))) co_return false;
    any = true;
  }
  co_return any;
}

Task<Result<std::vector<ProviderListEntry>>> CallList::List(const ProviderListQuery& query,
                                                            SteadyTime deadline) {
  std::map<std::string, ProviderListEntry> by_sid;  // a call may be in both lists
  const auto handle = [&](const nlohmann::json& call) -> Result<bool> {
    const std::string sid = StringMember(call, "sid");
    if (!IsCallSid(sid)) return InvalidList();
    WallTime created = query.from;
    if (const std::string date = StringMember(call, "date_created"); !date.empty()) {
      TOCSIN_TRY(created, ParseDate(date));
    }
    if (created >= query.from && created <= query.until && WasPlacedBy(call, query.sender))
      by_sid.insert_or_assign(sid, ProviderListEntry{sid, created, std::nullopt});
    return true;
  };
  const EntryHandler handler = handle;
  // Queued calls first: in the other order, a call that starts in between would be in neither list.
  for (const auto& [filter, value] :
       {std::pair("Status", std::string("queued")), std::pair("StartTime>", DayOf(query.from))}) {
    const ListRequest request{.account = query.account,
                              .resource = "Calls.json",
                              .member = "calls",
                              .filters = {{"To", query.to.Reveal()}, {filter, value}}};
    TOCSIN_CO_CHECK_OK(co_await ReadList(client_, request, deadline, handler));
  }
  std::vector<ProviderListEntry> entries;
  entries.reserve(by_sid.size());
  for (auto& [sid, entry] : by_sid) entries.push_back(std::move(entry));
  co_return entries;
}

}  // namespace tocsin::twilio
