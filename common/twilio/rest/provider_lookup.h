// Fetches one message or call from Twilio.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/ports/provider_lookup.h"
#include "common/twilio/rest/rest_client.h"

namespace tocsin::twilio {

constexpr std::chrono::seconds kFetchTimeout{5};  // for one response

// Fetches the resource itself, not a list: lists omit what was not sent yet, and contain other
// recipients. The SID decides between Messages and Calls.
class ResourceLookup final : public ProviderLookup {
 public:
  explicit ResourceLookup(RestSettings settings) : client_(std::move(settings)) {}

  Result<std::optional<ProviderRecord>> Find(const Account& account, const std::string& sid,
                                             SteadyTime deadline) override;

 private:
  RestClient client_;
};

// Parses a message or call. Pure. Fails with kTwilioApiError if `body` is not the resource `sid`.
Result<ProviderRecord> ParseResource(const std::string& body, std::string_view sid);

}  // namespace tocsin::twilio
