#include "common/twilio/rest/voice_provider.h"

#include <utility>

#include "common/domain/message/segments.h"
#include "common/twilio/twiml/twiml.h"
#include "common/twilio/webhooks/callback_url.h"

namespace tocsin::twilio {

VoiceProvider::VoiceProvider(EventLoop& loop, VoiceProviderSettings settings, Vault& vault,
                             const Clock& clock)
    : settings_(std::move(settings)), vault_(vault), clock_(clock), client_(loop, settings_.rest) {}

Task<records::v1::AttemptResult> VoiceProvider::Send(const Dispatch& dispatch,
                                                     SteadyTime deadline) {
  const TraceContext trace = TraceContext::Continue(dispatch.traceparent);
  const auto form = BuildForm(dispatch, trace);
  if (form) co_return co_await client_.Post(dispatch.account, "Calls.json", *form, deadline, trace);
  records::v1::AttemptResult result;
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  result.set_reason(std::string(TraitsOf(form.error().code).name));
  co_return result;
}

Result<FormFields> VoiceProvider::BuildForm(const Dispatch& dispatch,
                                            const TraceContext& trace) const {
  if (dispatch.sender.number.empty())
    return Fail(ErrorCode::kNoRoute, "sender " + dispatch.sender.id + " has no number");
  TOCSIN_TRY(const std::string token,
             AttemptTokenFor(dispatch, v1::CHANNEL_VOICE, settings_.topics, vault_, clock_.Now()));
  const std::string& base = settings_.public_base_url;
  FormFields form{{"To", dispatch.to.Reveal()}, {"From", dispatch.sender.number}};
  std::string twiml =
      AlertTwiml(dispatch.voice, dispatch.text.Reveal(), GatherUrl(base, token, trace, 1));
  if (CountSegments(twiml).characters <= kMaxInlineTwiml)
    form.emplace_back("Twiml", std::move(twiml));
  else
    form.emplace_back("Url", CallbackUrl(base, "/twilio/voice/twiml/", token, trace));
  form.emplace_back("StatusCallback", CallbackUrl(base, "/twilio/voice/status/", token, trace));
  for (const char* event : {"initiated", "ringing", "answered", "completed"})
    form.emplace_back("StatusCallbackEvent", event);
  form.emplace_back("Timeout", std::to_string(settings_.ring_timeout.count()));
  if (dispatch.voice.machine_detection()) form.emplace_back("MachineDetection", "Enable");
  return form;
}

}  // namespace tocsin::twilio
