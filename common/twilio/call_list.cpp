#include "common/twilio/call_list.h"

#include <array>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/domain/folding.h"
#include "common/twilio/list_pages.h"
#include "common/twilio/webhook.h"

namespace tocsin::twilio {
namespace {

// The UTC day, as Twilio's filters take it: 2026-03-01.
std::string DayOf(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 16> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d", &utc)};
}

bool PlacedBy(const nlohmann::json& call, const Sender& sender) {
  return TextOf(call, "direction") == "outbound-api" && TextOf(call, "from") == sender.number;
}

}  // namespace

Result<std::vector<TakenEntry>> CallList::ListTaken(const TakenQuery& query, SteadyTime deadline) {
  std::map<std::string, TakenEntry> found;  // by SID: between the two questions a call may begin
  const auto take = [&](const nlohmann::json& call) -> Result<bool> {
    const std::string sid = TextOf(call, "sid");
    if (!IsSid(sid, kCallSidPrefix)) return UnreadableList();
    WallTime created = query.from;
    if (const std::string date = TextOf(call, "date_created"); !date.empty()) {
      TOCSIN_TRY(created, TimeOf(date));
    }
    if (created >= query.from && created <= query.until && PlacedBy(call, query.sender))
      found.insert_or_assign(sid, TakenEntry{sid, created, std::nullopt});
    return true;
  };
  // In this order, or one that begins meanwhile would be seen by neither.
  for (const auto& [filter, value] :
       {std::pair("Status", std::string("queued")), std::pair("StartTime>", DayOf(query.from))})
    TOCSIN_CHECK_OK(ReadList(rest_,
                             {.account = query.account,
                              .resource = "Calls.json",
                              .member = "calls",
                              .filters = {{"To", query.to.Reveal()}, {filter, value}}},
                             deadline, take));
  std::vector<TakenEntry> entries;
  for (auto& [sid, entry] : found) entries.push_back(std::move(entry));
  return entries;
}

}  // namespace tocsin::twilio
