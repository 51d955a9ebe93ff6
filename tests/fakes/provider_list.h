// The provider's list as the test sets it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/ports/provider_list.h"

namespace tocsin {

// One thread at a time.
class FakeProviderList final : public ProviderList {
 public:
  // A message.
  void Add(const std::string& to, const std::string& text, const std::string& sid, WallTime created,
           const std::string& sender = "main") {
    rows_.push_back({to, sender, {sid, created, Pii(text)}});
  }
  // A call, which has no text.
  void AddCall(const std::string& to, const std::string& sid, WallTime created) {
    rows_.push_back({to, "main", {sid, created, std::nullopt}});
  }

  Task<Result<std::vector<ProviderListEntry>>> List(const ProviderListQuery& query,
                                                    SteadyTime) override {
    ++requests;
    if (unavailable) co_return Fail(ErrorCode::kTwilioApiError, "the list is unavailable");
    std::vector<ProviderListEntry> found;
    for (const Row& row : rows_) {
      if (row.to != query.to.Reveal() || row.entry.created < query.from ||
          row.entry.created > query.until)
        continue;
      found.push_back(row.entry);
      found.back().by_sender = row.sender == query.sender.id;
    }
    co_return found;
  }

  Task<Result<bool>> ShowsRecipients(const Account&, SteadyTime) override {
    co_return shows_recipients;
  }

  bool unavailable = false;
  bool shows_recipients = true;
  int requests = 0;

 private:
  struct Row {
    std::string to;
    std::string sender;
    ProviderListEntry entry;
  };
  std::vector<Row> rows_;
};

}  // namespace tocsin
