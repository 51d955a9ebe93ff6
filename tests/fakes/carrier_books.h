// The carrier's books of single messages and calls, as the test writes them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/ports/carrier_books.h"

namespace tocsin {

// One thread at a time.
class FakeCarrierBooks final : public CarrierBooks {
 public:
  Result<std::optional<BookEntry>> Find(const Account&, const std::string& sid,
                                        SteadyTime) override {
    asked.push_back(sid);
    if (unreadable || unreadable_sids.contains(sid))
      return Fail(ErrorCode::kTwilioApiError, "the books cannot be read");
    const auto found = entries.find(sid);
    if (found == entries.end()) return std::optional<BookEntry>();
    return std::optional(found->second);
  }

  std::map<std::string, BookEntry> entries;  // by SID
  std::vector<std::string> asked;
  bool unreadable = false;
  std::set<std::string> unreadable_sids;
};

}  // namespace tocsin
