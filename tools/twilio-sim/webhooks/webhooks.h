// Makes signed webhooks: status callbacks, inbound messages, requests for TwiML.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/webhooks/webhook_sender.h"

namespace tocsin::sim {

struct WebhookCounts {
  std::uint64_t withheld = 0;  // the URL is not on loopback
  std::uint64_t missing = 0;   // not sent because of a fault
};

// Has the form of a UUID. The same for the same number and step.
std::string IdempotencyToken(const SeededRandom& random, std::uint64_t number, std::uint64_t step);

// Thread-safe.
class Webhooks {
 public:
  // `state` and `sender` outlive it. `anywhere`: also to hosts that are not loopback.
  Webhooks(State& state, WebhookSender& callbacks, bool anywhere);

  // Posts the status callback of a message, if Twilio has one for this status. The caller holds the
  // lock of the state.
  void OnStatusChange(const StatusChange& change);

  // Posts the webhook of an inbound message. The caller holds the lock of the state. False if the
  // URL is not allowed; `done` is then not called.
  bool PostInbound(const Message& inbound, const std::string& url, const std::string& opt_out_type,
                   std::function<void(const WebhookResponse&)> done);

  // A signed request of the account. Nothing if the URL is invalid or not allowed. The caller holds
  // the lock of the state.
  std::optional<Webhook> MakeWebhook(size_t account, std::string_view url, const FormFields& form,
                                     bool get = false);
  // Posts a status callback with its faults: twice, late, or not at all. `number` and `step` select
  // the fault. The caller holds the lock of the state.
  void PostStatus(Webhook webhook, std::uint64_t number, std::uint64_t step);
  void Post(Webhook webhook) { sender_.Post(std::move(webhook)); }

  WebhookCounts Counts() const;

 private:
  bool Allowed(const CallbackUrl& url);

  State& state_;
  WebhookSender& sender_;
  const bool anywhere_;
  std::atomic<std::uint64_t> withheld_ = 0;
  std::atomic<std::uint64_t> missing_ = 0;
};

}  // namespace tocsin::sim
