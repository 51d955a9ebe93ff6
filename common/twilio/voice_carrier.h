// Calls by Twilio's Calls API.
#pragma once

#include <chrono>
#include <string>

#include "common/domain/topics.h"
#include "common/ports/carrier.h"
#include "common/ports/clock.h"
#include "common/ports/vault.h"
#include "common/twilio/rest.h"

namespace tocsin::twilio {

struct VoiceCarrierSettings {
  RestSettings rest = {};
  std::string public_base_url = {};  // where Twilio reaches the ingress, for statuses and keys
  Topics topics = Topics();
  std::chrono::seconds ring{30};  // Twilio's Timeout, 5 … 600
};

// What is said travels with the request; what is longer than Twilio takes there is fetched from the
// ingress when the call is answered. The text stands in no URL.
class VoiceCarrier final : public Carrier {
 public:
  // `vault` and `clock` outlive the carrier.
  VoiceCarrier(VoiceCarrierSettings settings, Vault& vault, const Clock& clock);

  // NOT_SENT also when the sender has no number, or the try no proper name.
  v1::Receipt Send(const Dispatch& dispatch, SteadyTime deadline) override;

  RestCounters Counters() const { return rest_.Counters(); }
  Status Reach() const { return rest_.Reach(); }

 private:
  Result<FormFields> FormOf(const Dispatch& dispatch, const TraceContext& trace) const;

  const VoiceCarrierSettings settings_;
  Vault& vault_;
  const Clock& clock_;
  RestClient rest_;
};

}  // namespace tocsin::twilio
