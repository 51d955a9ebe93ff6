// From what happened to what is posted: signed forms for status callbacks and inbound messages.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "tools/twilio-sim/callbacks.h"
#include "tools/twilio-sim/state.h"

namespace tocsin::sim {

struct WebhookCounts {
  std::uint64_t withheld = 0;  // the address was not on loopback
  std::uint64_t missing = 0;   // left out as a fault
};

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
  bool Deliver(const Message& inbound, const CallbackUrl& url, const std::string& opt_out_type,
               std::function<void(const WebhookAnswer&)> done);

  WebhookCounts Counts() const;

 private:
  Webhook Signed(const Message& message, CallbackUrl url, const FormFields& form,
                 Status status) const;
  bool Allowed(const CallbackUrl& url);

  State& state_;
  Callbacks& callbacks_;
  const bool anywhere_;
  std::atomic<std::uint64_t> withheld_ = 0;
  std::atomic<std::uint64_t> missing_ = 0;
};

}  // namespace tocsin::sim
