// Fetches messages and calls from Twilio by SID, and pages of messages by time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/ports/provider_lookup.h"
#include "common/twilio/rest/rest_client.h"

namespace tocsin::twilio {

constexpr int kSentPageSize = 1000;  // messages, Twilio's maximum

// Find() fetches the resource itself; the SID decides between Messages and Calls. ListSent() drops
// what it cannot parse, and everything but status, price and segment count.
class ResourceLookup final : public ProviderLookup {
 public:
  // `loop` outlives the object.
  ResourceLookup(EventLoop& loop, RestSettings settings) : client_(loop, std::move(settings)) {}

  Task<Result<std::optional<ProviderRecord>>> Find(const Account& account, const std::string& sid,
                                                   SteadyTime deadline) override;
  Task<Result<ProviderPage>> ListSent(const Account& account, const SentWindow& window,
                                      const std::string& page, SteadyTime deadline) override;

 private:
  RestClient client_;
};

// Parses a message or call. Pure. Fails with kTwilioApiError if `body` is not the resource `sid`.
Result<ProviderRecord> ParseResource(const std::string& body, std::string_view sid);

}  // namespace tocsin::twilio
