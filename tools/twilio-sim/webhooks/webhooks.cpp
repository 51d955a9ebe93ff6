#include "tools/twilio-sim/webhooks/webhooks.h"

#include <fmt/format.h>

#include <utility>

#include "tools/twilio-sim/messages/message_resource.h"
#include "tools/twilio-sim/sids.h"
#include "tools/twilio-sim/webhooks/signature.h"

namespace tocsin::sim {
namespace {

// Twilio has no callback for `sending` and none for the initial status.
bool HasCallback(const Message& message, Status status) {
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

}  // namespace

std::string IdempotencyToken(const SeededRandom& random, std::uint64_t number, std::uint64_t step) {
  const std::string high = Hex16(random.Draw(Purpose::kCallbackToken, number, 2 * step));
  const std::string low = Hex16(random.Draw(Purpose::kCallbackToken, number, 2 * step + 1));
  return fmt::format("{}-{}-4{}-a{}-{}", high.substr(0, 8), high.substr(8, 4), high.substr(13, 3),
                     low.substr(1, 3), low.substr(4, 12));
}

Webhooks::Webhooks(State& state, WebhookSender& callbacks, bool anywhere)
    : state_(state), sender_(callbacks), anywhere_(anywhere) {}

bool Webhooks::Allowed(const CallbackUrl& url) {
  if (anywhere_ || url.IsLoopback()) return true;
  ++withheld_;
  return false;
}

std::optional<Webhook> Webhooks::MakeWebhook(size_t account, std::string_view url,
                                             const FormFields& form, bool get) {
  std::optional<CallbackUrl> parsed = ParseCallbackUrl(url);
  if (!parsed || !Allowed(*parsed)) return std::nullopt;
  Webhook webhook;
  webhook.url = *std::move(parsed);
  webhook.get = get;
  if (get) {  // the parameters are part of the query, which is signed
    const bool more = webhook.url.request.find('?') != std::string::npos;
    const std::string query = (more ? "&" : "?") + FormEncode(form);
    webhook.url.request += query;
    webhook.url.signed_text += query;
  } else {
    webhook.form = FormEncode(form);
  }
  webhook.signature = Sign(state_.directory.Accounts()[account].auth_token, webhook.url.signed_text,
                           get ? FormFields{} : form);
  return webhook;
}

void Webhooks::PostStatus(Webhook webhook, std::uint64_t number, std::uint64_t step) {
  const CallbackFault fault = state_.faults.ForCallback(number, step);
  if (fault == CallbackFault::kMissing) {
    ++missing_;
    return;
  }
  webhook.delay = state_.faults.Callback().delay;
  if (fault == CallbackFault::kReordered) {
    webhook.order = 0;  // not in order: after later ones
    webhook.delay += state_.faults.Callback().reorder_by;
  }
  if (fault == CallbackFault::kDoubled) sender_.Post(webhook);
  sender_.Post(std::move(webhook));
}

void Webhooks::OnStatusChange(const StatusChange& change) {
  const Message* const message = state_.messages.Find(change.number);
  if (message == nullptr || message->status_callback.empty()) return;
  if (!HasCallback(*message, change.status)) return;
  auto webhook = MakeWebhook(
      message->account, message->status_callback,
      StatusForm(*message, state_.messages.SidOf(*message), state_.directory, change.status));
  if (!webhook) return;
  const auto step = static_cast<std::uint64_t>(change.status);
  webhook->order = change.number;
  webhook->token = IdempotencyToken(state_.messages.Random(), change.number, step);
  // Captures no `this`: the sending thread outlives it.
  webhook->done = [&state = state_, change](const WebhookResponse& response) {
    if (response.status / 100 != 2) return;
    const std::lock_guard lock(state.mutex);
    state.messages.Acknowledge(change.number, change.status);
  };
  PostStatus(*std::move(webhook), change.number, step);
}

bool Webhooks::PostInbound(const Message& inbound, const std::string& url,
                           const std::string& opt_out_type,
                           std::function<void(const WebhookResponse&)> done) {
  auto webhook = MakeWebhook(
      inbound.account, url,
      InboundForm(inbound, state_.messages.SidOf(inbound), state_.directory, opt_out_type));
  if (!webhook) return false;
  webhook->order = inbound.number;
  webhook->token = IdempotencyToken(state_.messages.Random(), inbound.number,
                                    static_cast<std::uint64_t>(Status::kReceived));
  webhook->done = std::move(done);
  sender_.Post(*std::move(webhook));
  return true;
}

WebhookCounts Webhooks::Counts() const { return {withheld_, missing_}; }

}  // namespace tocsin::sim
