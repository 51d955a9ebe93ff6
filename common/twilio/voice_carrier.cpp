#include "common/twilio/voice_carrier.h"

#include <utility>

#include "common/domain/segments.h"
#include "common/twilio/callback_link.h"
#include "common/twilio/twiml.h"

namespace tocsin::twilio {

VoiceCarrier::VoiceCarrier(VoiceCarrierSettings settings, Vault& vault, const Clock& clock)
    : settings_(std::move(settings)), vault_(vault), clock_(clock), rest_(settings_.rest) {}

v1::Receipt VoiceCarrier::Send(const Dispatch& dispatch, SteadyTime deadline) {
  const TraceContext trace = TraceContext::Continue(dispatch.traceparent);
  const auto form = FormOf(dispatch, trace);
  if (form) return rest_.Post(dispatch.account, "Calls.json", *form, deadline, trace);
  v1::Receipt receipt;
  receipt.set_outcome(v1::RECEIPT_OUTCOME_NOT_SENT);
  receipt.set_reason(std::string(TraitsOf(form.error().code).name));
  return receipt;
}

Result<FormFields> VoiceCarrier::FormOf(const Dispatch& dispatch, const TraceContext& trace) const {
  if (dispatch.sender.number.empty())
    return Fail(ErrorCode::kNoRoute,
                "sender " + dispatch.sender.id + " has no number to call from");
  TOCSIN_TRY(const std::string token,
             TokenFor(dispatch, v1::CHANNEL_VOICE, settings_.topics, vault_, clock_.Now()));
  const std::string& base = settings_.public_base_url;
  FormFields form{{"To", dispatch.to.Reveal()}, {"From", dispatch.sender.number}};
  std::string twiml =
      SayAlert(dispatch.spoken, dispatch.text.Reveal(), KeysLink(base, token, trace, 1));
  if (CountSegments(twiml).characters <= kMaxInlineTwiml)
    form.emplace_back("Twiml", std::move(twiml));
  else
    form.emplace_back("Url", CallbackLink(base, "/twilio/voice/twiml/", token, trace));
  form.emplace_back("StatusCallback", CallbackLink(base, "/twilio/voice/status/", token, trace));
  for (const char* event : {"initiated", "ringing", "answered", "completed"})
    form.emplace_back("StatusCallbackEvent", event);
  form.emplace_back("Timeout", std::to_string(settings_.ring.count()));
  if (dispatch.spoken.detect_machine()) form.emplace_back("MachineDetection", "Enable");
  return form;
}

}  // namespace tocsin::twilio
