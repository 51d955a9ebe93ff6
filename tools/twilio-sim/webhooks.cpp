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

}  // namespace

std::string IdempotencyToken(const Dice& dice, std::uint64_t number, std::uint64_t step) {
  const std::string high = Hex16(dice.Draw(Purpose::kCallbackToken, number, 2 * step));
  const std::string low = Hex16(dice.Draw(Purpose::kCallbackToken, number, 2 * step + 1));
  return fmt::format("{}-{}-4{}-a{}-{}", high.substr(0, 8), high.substr(8, 4), high.substr(13, 3),
                     low.substr(1, 3), low.substr(4, 12));
}

Webhooks::Webhooks(State& state, Callbacks& callbacks, bool anywhere)
    : state_(state), callbacks_(callbacks), anywhere_(anywhere) {}

bool Webhooks::Allowed(const CallbackUrl& url) {
  if (anywhere_ || url.IsLoopback()) return true;
  ++withheld_;
  return false;
}

std::optional<Webhook> Webhooks::Make(size_t account, std::string_view url, const FormFields& form,
                                      bool get) {
  std::optional<CallbackUrl> parsed = ParseCallbackUrl(url);
  if (!parsed || !Allowed(*parsed)) return std::nullopt;
  Webhook webhook;
  webhook.url = *std::move(parsed);
  webhook.get = get;
  if (get) {  // the parameters join the query, which is signed as it stands
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
    webhook.order = 0;  // out of the line, and later than those behind it
    webhook.delay += state_.faults.Callback().reorder_by;
  }
  if (fault == CallbackFault::kDoubled) callbacks_.Post(webhook);
  callbacks_.Post(std::move(webhook));
}

void Webhooks::Tell(const StatusChange& change) {
  const Message* const message = state_.messages.Find(change.number);
  if (message == nullptr || message->status_callback.empty()) return;
  if (!IsToldOf(*message, change.status)) return;
  auto webhook =
      Make(message->account, message->status_callback,
           StatusForm(*message, state_.messages.SidOf(*message), state_.directory, change.status));
  if (!webhook) return;
  const auto step = static_cast<std::uint64_t>(change.status);
  webhook->order = change.number;
  webhook->token = IdempotencyToken(state_.messages.Randomness(), change.number, step);
  // Not `this`: the sending thread ends after it.
  webhook->done = [&state = state_, change](const WebhookAnswer& answer) {
    if (answer.status / 100 != 2) return;
    const std::lock_guard lock(state.mutex);
    state.messages.Acknowledge(change.number, change.status);
  };
  PostStatus(*std::move(webhook), change.number, step);
}

bool Webhooks::Deliver(const Message& inbound, const std::string& url,
                       const std::string& opt_out_type,
                       std::function<void(const WebhookAnswer&)> done) {
  auto webhook =
      Make(inbound.account, url,
           InboundForm(inbound, state_.messages.SidOf(inbound), state_.directory, opt_out_type));
  if (!webhook) return false;
  webhook->order = inbound.number;
  webhook->token = IdempotencyToken(state_.messages.Randomness(), inbound.number,
                                    static_cast<std::uint64_t>(Status::kReceived));
  webhook->done = std::move(done);
  callbacks_.Post(*std::move(webhook));
  return true;
}

WebhookCounts Webhooks::Counts() const { return {withheld_, missing_}; }

}  // namespace tocsin::sim
