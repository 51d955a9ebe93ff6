// Places calls with Twilio's Calls API.
#pragma once

#include <chrono>
#include <string>

#include "common/ports/clock.h"
#include "common/ports/provider.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"
#include "common/twilio/rest/rest_client.h"

namespace tocsin::twilio {

struct VoiceProviderSettings {
  RestSettings rest = {};
  std::string public_base_url = {};  // of the ingress, for callbacks
  Topics topics = Topics();
  std::chrono::seconds ring_timeout{30};  // Twilio's Timeout, 5 to 600 s
};

// The TwiML is part of the request, or, if it is longer than kMaxInlineTwiml, fetched by Twilio
// from the ingress when the call is answered. No URL contains the text.
class VoiceProvider final : public Provider {
 public:
  // `loop`, `vault` and `clock` outlive the provider.
  VoiceProvider(EventLoop& loop, VoiceProviderSettings settings, Vault& vault, const Clock& clock);

  // Also NOT_SENT if the sender has no number, or if the alert_id is not a UUID.
  Task<records::v1::AttemptResult> Send(const Dispatch& dispatch, SteadyTime deadline) override;

  Status CheckConnectivity() const { return client_.CheckConnectivity(); }
  Task<void> OpenConnection() { return client_.OpenConnection(); }

 private:
  Result<FormFields> BuildForm(const Dispatch& dispatch, const TraceContext& trace) const;

  const VoiceProviderSettings settings_;
  Vault& vault_;
  const Clock& clock_;
  RestClient client_;
};

}  // namespace tocsin::twilio
