#include "common/twilio/sms_carrier.h"

#include <algorithm>
#include <utility>

#include "common/twilio/try_token.h"

namespace tocsin::twilio {
namespace {

constexpr std::chrono::seconds kMinValidity{1};
constexpr std::chrono::seconds kMaxValidity{36'000};
constexpr auto kClasses = {v1::ALERT_CLASS_EMERGENCY, v1::ALERT_CLASS_HIGH, v1::ALERT_CLASS_NORMAL,
                           v1::ALERT_CLASS_BULK};

// The class whose lane the topic is; unspecified for other topics.
v1::AlertClass ClassOfLane(const Topics& topics, std::string_view topic) {
  const auto found = std::ranges::find_if(kClasses, [&](v1::AlertClass alert_class) {
    return topics.Lane(v1::CHANNEL_SMS, alert_class) == topic;
  });
  return found == kClasses.end() ? v1::ALERT_CLASS_UNSPECIFIED : *found;
}

}  // namespace

SmsCarrier::SmsCarrier(SmsCarrierSettings settings, Vault& vault, const Clock& clock)
    : settings_(std::move(settings)), vault_(vault), clock_(clock), rest_(settings_.rest) {}

v1::Receipt SmsCarrier::Send(const Dispatch& dispatch, SteadyTime deadline) {
  const TraceContext trace = TraceContext::Continue(dispatch.traceparent);
  const auto form = FormOf(dispatch, trace);
  if (form) return rest_.Post(dispatch.account, "Messages.json", *form, deadline, trace);
  v1::Receipt receipt;
  receipt.set_outcome(v1::RECEIPT_OUTCOME_NOT_SENT);
  receipt.set_reason(std::string(TraitsOf(form.error().code).name));
  return receipt;
}

Result<FormFields> SmsCarrier::FormOf(const Dispatch& dispatch, const TraceContext& trace) const {
  const Sender& sender = dispatch.sender;
  if (sender.number.empty() && sender.messaging_service_sid.empty())
    return Fail(ErrorCode::kNoRoute, "sender " + sender.id + " has no number and no service");
  FormFields form{{"To", dispatch.to.Reveal()}};
  if (sender.messaging_service_sid.empty())
    form.emplace_back("From", sender.number);
  else
    form.emplace_back("MessagingServiceSid", sender.messaging_service_sid);
  form.emplace_back("Body", dispatch.text.Reveal());
  if (!settings_.public_base_url.empty()) {
    TOCSIN_TRY(std::string url, CallbackUrl(dispatch, trace));
    form.emplace_back("StatusCallback", std::move(url));
  }
  const auto validity = std::clamp(dispatch.validity, kMinValidity, kMaxValidity);
  form.emplace_back("ValidityPeriod", std::to_string(validity.count()));
  return form;
}

Result<std::string> SmsCarrier::CallbackUrl(const Dispatch& dispatch,
                                            const TraceContext& trace) const {
  TOCSIN_TRY(
      const std::string token,
      MakeTryToken(vault_, {.name = dispatch.name,
                            .channel = v1::CHANNEL_SMS,
                            .alert_class = ClassOfLane(settings_.topics, dispatch.work.topic()),
                            .partition = dispatch.work.partition(),
                            .offset = dispatch.work.offset(),
                            .time = clock_.Now()}));
  std::string url = settings_.public_base_url;
  while (url.ends_with('/')) url.pop_back();
  url.append("/twilio/sms/status/").append(token).append(kTraceQuery).append(trace.Text());
  return url.append(kCallbackOverrides);
}

}  // namespace tocsin::twilio
