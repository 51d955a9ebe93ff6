// From what happened to what is posted: signed forms for status callbacks and inbound messages.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tools/twilio-sim/callbacks.h"
#include "tools/twilio-sim/state.h"

namespace tocsin::sim {

struct WebhookCounts {
  std::uint64_t withheld = 0;  // the address was not on loopback
  std::uint64_t missing = 0;   // left out as a fault
};

// In the form of a UUID; the same for the same step of the same thing.
std::string IdempotencyToken(const Dice& dice, std::uint64_t number, std::uint64_t step);

// Safe to call from several threads.
class Webhooks {
 public:
  // Both outlive it.
  Webhooks(State& state, Callbacks& callbacks, bool anywhere);

  // For a step of a message, called with the state's lock held. Posts nothing for a status that
  // Twilio does not call back for.
  void Tell(const StatusChange& change);

  // Posts an inbound message's webhook, called with the state's lock held. False when the address
  // is not allowed; then `done` is not called.
  bool Deliver(const Message& inbound, const std::string& url, const std::string& opt_out_type,
               std::function<void(const WebhookAnswer&)> done);

  // A signed request of the account's to an address as its customer wrote it. Nothing for an
  // address that is none or is not allowed. The state's lock is held.
  std::optional<Webhook> Make(size_t account, std::string_view url, const FormFields& form,
                              bool get = false);
  // Posts a status callback, unless the faults say otherwise: twice, late, not at all. `number` and
  // `step` name it for the dice. The state's lock is held.
  void PostStatus(Webhook webhook, std::uint64_t number, std::uint64_t step);
  void Post(Webhook webhook) { callbacks_.Post(std::move(webhook)); }

  WebhookCounts Counts() const;

 private:
  bool Allowed(const CallbackUrl& url);

  State& state_;
  Callbacks& callbacks_;
  const bool anywhere_;
  std::atomic<std::uint64_t> withheld_ = 0;
  std::atomic<std::uint64_t> missing_ = 0;
};

}  // namespace tocsin::sim
