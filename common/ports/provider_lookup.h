// The provider's record of one message or call: reconciles what no callback reported.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/delivery/unreconciled_attempt.h"
#include "common/domain/registry/registry.h"

namespace tocsin {

class ProviderLookup {
 public:
  virtual ~ProviderLookup() = default;

  // Returns nothing if the provider does not know the SID. Fails with kTwilioApiError if it does
  // not respond or its response cannot be parsed. Blocks, never past `deadline`. Safe to use from
  // several threads.
  virtual Result<std::optional<ProviderRecord>> Find(const Account& account, const std::string& sid,
                                                     SteadyTime deadline) = 0;
};

}  // namespace tocsin
