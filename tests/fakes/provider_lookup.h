// The provider's records as the test sets them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/ports/provider_lookup.h"

namespace tocsin {

// One thread at a time.
class FakeProviderLookup final : public ProviderLookup {
 public:
  Task<Result<std::optional<ProviderRecord>>> Find(const Account&, const std::string& sid,
                                                   SteadyTime) override {
    requested.push_back(sid);
    if (unavailable || unavailable_sids.contains(sid))
      co_return Fail(ErrorCode::kTwilioApiError, "the record is unavailable");
    const auto found = records.find(sid);
    if (found == records.end()) co_return std::optional<ProviderRecord>();
    co_return std::optional(found->second);
  }

  Task<Result<ProviderPage>> ListSent(const Account&, const SentWindow& window,
                                      const std::string& page, SteadyTime) override {
    ++pages_requested;
    windows.push_back(window);
    if (unavailable || lists_unavailable)
      co_return Fail(ErrorCode::kTwilioApiError, "the list is unavailable");
    const size_t number = page.empty() ? 0 : std::stoul(page);
    ProviderPage found;
    if (number < pages.size())
      for (const std::string& sid : pages[number]) found.records[sid] = records.at(sid);
    if (number + 1 < pages.size()) found.next = std::to_string(number + 1);
    co_return found;
  }

  std::map<std::string, ProviderRecord> records;  // by SID
  std::vector<std::vector<std::string>> pages;    // SIDs of each page of every list
  std::vector<SentWindow> windows;                // of the pages that were requested
  int pages_requested = 0;
  bool lists_unavailable = false;
  std::vector<std::string> requested;
  bool unavailable = false;
  std::set<std::string> unavailable_sids;
};

}  // namespace tocsin
