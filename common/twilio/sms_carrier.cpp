#include "common/twilio/sms_carrier.h"

#include <algorithm>
#include <utility>

#include "common/twilio/callback_link.h"

namespace tocsin::twilio {
namespace {

constexpr std::chrono::seconds kMinValidity{1};
constexpr std::chrono::seconds kMaxValidity{36'000};

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
    TOCSIN_TRY(const std::string token,
               TokenFor(dispatch, v1::CHANNEL_SMS, settings_.topics, vault_, clock_.Now()));
    form.emplace_back("StatusCallback",
                      CallbackLink(settings_.public_base_url, "/twilio/sms/status/", token, trace));
  }
  const auto validity = std::clamp(dispatch.validity, kMinValidity, kMaxValidity);
  form.emplace_back("ValidityPeriod", std::to_string(validity.count()));
  return form;
}

}  // namespace tocsin::twilio
