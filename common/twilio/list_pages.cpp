#include "common/twilio/list_pages.h"

#include <curl/curl.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace tocsin::twilio {
namespace {

using nlohmann::json;

// Says whether older pages may hold more.
Result<bool> TakePage(const json& page, const std::string& member, const TakeEntry& take) {
  const auto entries = page.find(member);
  if (entries == page.end() || !entries->is_array()) return UnreadableList();
  bool more = false;
  for (const json& entry : *entries) {
    if (!entry.is_object()) return UnreadableList();
    TOCSIN_TRY(const bool wanted, take(entry));
    more = more || wanted;
  }
  return more;
}

}  // namespace

Status ReadList(RestClient& rest, const ListQuestion& question, SteadyTime deadline,
                const TakeEntry& take) {
  FormFields filters = question.filters;
  filters.emplace_back("PageSize", std::to_string(kListPageSize));
  std::string path = "/2010-04-01/Accounts/" + PercentEncode(question.account.sid) + '/' +
                     question.resource + '?' + FormEncode(filters);
  for (int pages = 0; pages < kMaxListPages; ++pages) {
    TOCSIN_TRY(const std::string body, rest.Get(question.account, path, deadline));
    const json page = json::parse(body, nullptr, /*allow_exceptions=*/false);
    if (!page.is_object()) return UnreadableList();
    TOCSIN_TRY(const bool more, TakePage(page, question.member, take));
    path = TextOf(page, "next_page_uri");
    if (!more || path.empty()) return {};
    if (!path.starts_with('/')) return UnreadableList();  // never credentials to another host
  }
  return Fail(ErrorCode::kTwilioApiError, "Twilio's list is too long");
}

std::string TextOf(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<WallTime> TimeOf(const std::string& text) {
  const std::time_t seconds = curl_getdate(text.c_str(), nullptr);
  if (seconds < 0) return UnreadableList();
  return WallTime(std::chrono::seconds(seconds));
}

tl::unexpected<Error> UnreadableList() {
  return Fail(ErrorCode::kTwilioApiError, "Twilio's list cannot be read");
}

}  // namespace tocsin::twilio
