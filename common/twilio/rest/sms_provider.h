// Sends SMS with Twilio's Messages API.
#pragma once

#include <string>

#include "common/ports/clock.h"
#include "common/ports/provider.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"
#include "common/twilio/rest/rest_client.h"

namespace tocsin::twilio {

struct SmsProviderSettings {
  RestSettings rest = {};
  std::string public_base_url = {};  // of the ingress; empty: no status callbacks
  Topics topics = Topics();
};

class SmsProvider final : public Provider {
 public:
  // `loop`, `vault` and `clock` outlive the provider.
  SmsProvider(EventLoop& loop, SmsProviderSettings settings, Vault& vault, const Clock& clock);

  // Also NOT_SENT if the sender has neither a number nor a messaging service, or if the alert_id is
  // not a UUID.
  Task<records::v1::AttemptResult> Send(const Dispatch& dispatch, SteadyTime deadline) override;

  Status CheckConnectivity() const { return client_.CheckConnectivity(); }
  Task<void> OpenConnection() { return client_.OpenConnection(); }

 private:
  Result<FormFields> BuildForm(const Dispatch& dispatch, const TraceContext& trace) const;

  const SmsProviderSettings settings_;
  Vault& vault_;
  const Clock& clock_;
  RestClient client_;
};

}  // namespace tocsin::twilio
