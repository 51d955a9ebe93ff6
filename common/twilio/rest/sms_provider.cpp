#include "common/twilio/rest/sms_provider.h"

#include <algorithm>
#include <utility>

#include "common/twilio/webhooks/callback_url.h"

namespace tocsin::twilio {
namespace {

constexpr std::chrono::seconds kMinValidity{1};
constexpr std::chrono::seconds kMaxValidity{36'000};

}  // namespace

SmsProvider::SmsProvider(EventLoop& loop, SmsProviderSettings settings, Vault& vault,
                         const Clock& clock)
    : settings_(std::move(settings)), vault_(vault), clock_(clock), client_(loop, settings_.rest) {}

Task<records::v1::AttemptResult> SmsProvider::Send(const Dispatch& dispatch, SteadyTime deadline) {
  const TraceContext trace = TraceContext::Continue(dispatch.traceparent);
  const auto form = BuildForm(dispatch, trace);
  if (form)
    co_return co_await client_.Post(dispatch.account, "Messages.json", *form, deadline, trace);
  records::v1::AttemptResult result;
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  result.set_reason(std::string(TraitsOf(form.error().code).name));
  co_return result;
}

Result<FormFields> SmsProvider::BuildForm(const Dispatch& dispatch,
                                          const TraceContext& trace) const {
  const Sender& sender = dispatch.sender;
  if (sender.number.empty() && sender.messaging_service_sid.empty())
    return Fail(ErrorCode::kNoRoute,
                "sender " + sender.id + " has neither a number nor a messaging service");
  FormFields form{{"To", dispatch.to.Reveal()}};
  if (sender.messaging_service_sid.empty())
    form.emplace_back("From", sender.number);
  else
    form.emplace_back("MessagingServiceSid", sender.messaging_service_sid);
  form.emplace_back("Body", dispatch.text.Reveal());
  if (!settings_.public_base_url.empty()) {
    TOCSIN_TRY(const std::string token,
               AttemptTokenFor(dispatch, v1::CHANNEL_SMS, settings_.topics, vault_, clock_.Now()));
    form.emplace_back("StatusCallback",
                      CallbackUrl(settings_.public_base_url, "/twilio/sms/status/", token, trace));
  }
  const auto validity = std::clamp(dispatch.validity, kMinValidity, kMaxValidity);
  form.emplace_back("ValidityPeriod", std::to_string(validity.count()));
  return form;
}

}  // namespace tocsin::twilio
