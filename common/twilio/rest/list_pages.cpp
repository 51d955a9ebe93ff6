#include "common/twilio/rest/list_pages.h"

#include <curl/curl.h>

#include <nlohmann/json.hpp>

#include "common/twilio/rest/json_fields.h"

namespace tocsin::twilio {
namespace {

using nlohmann::json;

// Returns whether later pages may contain wanted entries.
Result<bool> HandlePage(const json& page, const std::string& member, const EntryHandler& handler) {
  const auto entries = page.find(member);
  if (entries == page.end() || !entries->is_array()) return InvalidList();
  bool more = false;
  for (const json& entry : *entries) {
    if (!entry.is_object()) return InvalidList();
    TOCSIN_TRY(const bool wanted, handler(entry));
    more = more || wanted;
  }
  return more;
}

}  // namespace

Task<Status> ReadList(RestClient& client, const ListRequest& request, SteadyTime deadline,
                      const EntryHandler& handler) {
  FormFields filters = request.filters;
  filters.emplace_back("PageSize", std::to_string(kListPageSize));
  std::string path = "/2010-04-01/Accounts/" + PercentEncode(request.account.sid) + '/' +
                     request.resource + '?' + FormEncode(filters);
  for (int pages = 0; pages < kMaxListPages; ++pages) {
    TOCSIN_CO_TRY(const json page,
                  co_await ReadPage(client, request.account, path, deadline, kListPageSize));
    TOCSIN_CO_TRY(const bool more, HandlePage(page, request.member, handler));
    path = StringMember(page, "next_page_uri");
    if (!more || path.empty()) co_return Status();
    if (!path.starts_with('/')) co_return InvalidList();  // never send credentials to another host
  }
  co_return Fail(ErrorCode::kTwilioApiError, "Twilio's list has too many pages");
}

Task<Result<json>> ReadPage(RestClient& client, const Account& account, const std::string& path,
                            SteadyTime deadline, size_t max_entries) {
  TOCSIN_CO_TRY(const std::string body,
                co_await client.Get(account, path, deadline, max_entries * kMaxListedMessage));
  json page = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!page.is_object()) co_return InvalidList();
  co_return page;
}

Result<WallTime> ParseDate(const std::string& text) {
  const std::time_t seconds = curl_getdate(text.c_str(), nullptr);
  if (seconds < 0) return InvalidList();
  return WallTime(std::chrono::seconds(seconds));
}

tl::unexpected<Error> InvalidList() {
  return Fail(ErrorCode::kTwilioApiError, "invalid list from Twilio");
}

}  // namespace tocsin::twilio
