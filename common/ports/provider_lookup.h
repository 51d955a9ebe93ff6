// The provider's record of one message or call: reconciles what no callback reported.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/delivery/unreconciled_attempt.h"
#include "common/domain/registry/registry.h"

namespace tocsin {

// The provider's records of messages that it sent within a time window, both ends included.
struct SentWindow {
  WallTime from;
  WallTime until;
};

struct ProviderPage {
  std::map<std::string, ProviderRecord> records;  // by SID
  std::string next;                               // names the next page; empty after the last one
};

class ProviderLookup {
 public:
  virtual ~ProviderLookup() = default;

  // Returns nothing if the provider does not know the SID. Fails with kTwilioApiError if it does
  // not respond or its response cannot be parsed. Ends at `deadline` at the latest. Used on the
  // loop's thread. Arguments must outlive the task.
  virtual Task<Result<std::optional<ProviderRecord>>> Find(const Account& account,
                                                           const std::string& sid,
                                                           SteadyTime deadline) = 0;

  // One page of the account's messages, at most 1000; `page` is empty for the first one, else
  // ProviderPage::next. What is missing may still exist: lists lag, and what waits to be sent is
  // not in the window. Ends and fails as Find().
  virtual Task<Result<ProviderPage>> ListSent(const Account& account, const SentWindow& window,
                                              const std::string& page, SteadyTime deadline) = 0;
};

}  // namespace tocsin
