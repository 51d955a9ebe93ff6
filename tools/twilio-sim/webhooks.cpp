#include "tools/twilio-sim/webhooks.h"

#include <fmt/format.h>

#include <utility>

#include "tools/twilio-sim/resource.h"
#include "tools/twilio-sim/sids.h"
#include "tools/twilio-sim/signature.h"

namespace tocsin::sim {
namespace {

// Twilio's documentation names no callback for sending, and none for the initial status.
bool IsToldOf(const Message& message, Status status) {
  switch (status) {
    case Status::kQueued: return message.service.has_value();
    case Status::kSent:
    case Status::kDelivered:
    case Status::kUndelivered:
    case Status::kFailed:
    case Status::kCanceled: return true;
    case Status::kAccepted:
    case Status::kScheduled:
    case Status::kSending:
    case Status::kReceived: return false;
  }
  return false;
}

// In the form of a UUID; the same for the same step of the same message.
std::string IdempotencyToken(const Dice& dice, std::uint64_t number, Status status) {
  const auto step = static_cast<std::uint64_t>(status);
  const std::string high = Hex16(dice.Draw(Purpose::kCallbackToken, number, 2 * step));
  const std::string low = Hex16(dice.Draw(Purpose::kCallbackToken, number, 2 * step + 1));
  return fmt::format("{}-{}-4{}-a{}-{}", high.substr(0, 8), high.substr(8, 4), high.substr(13, 3),
                     low.substr(1, 3), low.substr(4, 12));
}

}  // namespace

Webhooks::Webhooks(State& state, Callbacks& callbacks, bool anywhere)
    : state_(state), callbacks_(callbacks), anywhere_(anywhere) {}

bool Webhooks::Allowed(const CallbackUrl& url) {
  if (anywhere_ || url.IsLoopback()) return true;
  ++withheld_;
  return false;
}

Webhook Webhooks::Signed(const Message& message, CallbackUrl url, const FormFields& form,
                         Status status) const {
  const Account& account = state_.directory.Accounts()[message.account];
  Webhook webhook;
  webhook.order = message.number;
  webhook.form = FormEncode(form);
  webhook.signature = Sign(account.auth_token, url.signed_text, form);
  webhook.token = IdempotencyToken(state_.messages.Randomness(), message.number, status);
  webhook.url = std::move(url);
  return webhook;
}

void Webhooks::Tell(const StatusChange& change) {
  const Message* const message = state_.messages.Find(change.number);
  if (message == nullptr || message->status_callback.empty()) return;
  if (!IsToldOf(*message, change.status)) return;
  std::optional<CallbackUrl> url = ParseCallbackUrl(message->status_callback);
  if (!url || !Allowed(*url)) return;
  const auto step = static_cast<std::uint64_t>(change.status);
  const CallbackFault fault = state_.faults.ForCallback(change.number, step);
  if (fault == CallbackFault::kMissing) {
    ++missing_;
    return;
  }
  const FormFields form =
      StatusForm(*message, state_.messages.SidOf(*message), state_.directory, change.status);
  Webhook webhook = Signed(*message, *std::move(url), form, change.status);
  webhook.delay = state_.faults.Callback().delay;
  // Not `this`: the sending thread ends after it.
  webhook.done = [&state = state_, change](const WebhookAnswer& answer) {
    if (answer.status / 100 != 2) return;
    const std::lock_guard lock(state.mutex);
    state.messages.Acknowledge(change.number, change.status);
  };
  if (fault == CallbackFault::kReordered) {
    webhook.order = 0;  // out of the line, and later than those behind it
    webhook.delay += state_.faults.Callback().reorder_by;
  }
  if (fault == CallbackFault::kDoubled) callbacks_.Post(webhook);
  callbacks_.Post(std::move(webhook));
}

bool Webhooks::Deliver(const Message& inbound, const CallbackUrl& url,
                       const std::string& opt_out_type,
                       std::function<void(const WebhookAnswer&)> done) {
  if (!Allowed(url)) return false;
  const FormFields form =
      InboundForm(inbound, state_.messages.SidOf(inbound), state_.directory, opt_out_type);
  Webhook webhook = Signed(inbound, url, form, Status::kReceived);
  webhook.done = std::move(done);
  callbacks_.Post(std::move(webhook));
  return true;
}

WebhookCounts Webhooks::Counts() const { return {withheld_, missing_}; }

}  // namespace tocsin::sim
