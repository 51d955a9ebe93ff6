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
  Result<std::optional<ProviderRecord>> Find(const Account&, const std::string& sid,
                                             SteadyTime) override {
    requested.push_back(sid);
    if (unavailable || unavailable_sids.contains(sid))
      return Fail(ErrorCode::kTwilioApiError, "the record is unavailable");
    const auto found = records.find(sid);
    if (found == records.end()) return std::optional<ProviderRecord>();
    return std::optional(found->second);
  }

  std::map<std::string, ProviderRecord> records;  // by SID
  std::vector<std::string> requested;
  bool unavailable = false;
  std::set<std::string> unavailable_sids;
};

}  // namespace tocsin
