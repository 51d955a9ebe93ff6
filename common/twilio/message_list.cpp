#include "common/twilio/message_list.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/twilio/list_pages.h"
#include "common/twilio/webhook.h"

namespace tocsin::twilio {
namespace {

bool SentBy(const nlohmann::json& message, const Sender& sender) {
  if (TextOf(message, "direction") != "outbound-api") return false;
  if (!sender.messaging_service_sid.empty())
    return TextOf(message, "messaging_service_sid") == sender.messaging_service_sid;
  return TextOf(message, "from") == sender.number;
}

}  // namespace

Result<std::vector<TakenEntry>> MessageList::ListTaken(const TakenQuery& query,
                                                       SteadyTime deadline) {
  std::vector<TakenEntry> entries;
  const auto take = [&](const nlohmann::json& message) -> Result<bool> {
    std::string sid = TextOf(message, "sid");
    if (!IsSid(sid, "SM") && !IsSid(sid, "MM")) return UnreadableList();
    TOCSIN_TRY(const WallTime created, TimeOf(TextOf(message, "date_created")));
    if (created >= query.from && created <= query.until && SentBy(message, query.sender))
      entries.push_back({std::move(sid), created, Pii(TextOf(message, "body"))});
    return created >= query.from;
  };
  TOCSIN_CHECK_OK(ReadList(rest_,
                           {.account = query.account,
                            .resource = "Messages.json",
                            .member = "messages",
                            .filters = {{"To", query.to.Reveal()}}},
                           deadline, take));
  return entries;
}

}  // namespace tocsin::twilio
