// SMS by Twilio's Messages API.
#pragma once

#include <string>

#include "common/domain/topics.h"
#include "common/ports/carrier.h"
#include "common/ports/clock.h"
#include "common/ports/vault.h"
#include "common/twilio/rest.h"

namespace tocsin::twilio {

struct SmsCarrierSettings {
  RestSettings rest = {};
  std::string public_base_url = {};  // where Twilio reaches the ingress; empty: no status callbacks
  Topics topics = Topics();
};

class SmsCarrier final : public Carrier {
 public:
  // `vault` and `clock` outlive the carrier.
  SmsCarrier(SmsCarrierSettings settings, Vault& vault, const Clock& clock);

  // NOT_SENT also when the sender has neither number nor messaging service, or the try no proper
  // name.
  v1::Receipt Send(const Dispatch& dispatch, SteadyTime deadline) override;

  RestCounters Counters() const { return rest_.Counters(); }
  Status Reach() const { return rest_.Reach(); }

 private:
  Result<FormFields> FormOf(const Dispatch& dispatch, const TraceContext& trace) const;

  const SmsCarrierSettings settings_;
  Vault& vault_;
  const Clock& clock_;
  RestClient rest_;
};

}  // namespace tocsin::twilio
