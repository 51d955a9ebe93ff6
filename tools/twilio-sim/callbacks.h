// The sending side of webhooks: posts forms, keeps each message's in order, tries again as the
// address asks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tools/twilio-sim/callback_url.h"

namespace tocsin::sim {

constexpr size_t kMaxQueuedCallbacks = 500'000;      // beyond it they are dropped and counted
constexpr size_t kMaxCallbacksInFlight = 128;        // connections, as many are kept open
constexpr size_t kMaxWebhookAnswer = 64 * 1024 + 1;  // bytes kept: a TwiML too large shows as such

struct WebhookAnswer {
  int status = 0;  // 0: no answer came
  int fault = 0;   // Twilio's code of what was in the way, when none came
  std::string content_type = {};
  std::string body = {};
  int tries = 0;
};

struct Webhook {
  // Webhooks with the same order are sent one after the other, in the order of Post(); 0: at once.
  std::uint64_t order = 0;
  CallbackUrl url;
  bool get = false;       // else POST
  std::string form = {};  // the body of a POST
  std::string signature;  // X-Twilio-Signature
  std::string token;      // I-Twilio-Idempotency-Token: the same for every try
  std::chrono::milliseconds delay{0};
  // Called on the sending thread when no more tries follow; must not block.
  std::function<void(const WebhookAnswer&)> done = {};
};

struct CallbackCounts {
  std::uint64_t posted = 0;        // handed in
  std::uint64_t tries = 0;         // requests begun
  std::uint64_t acknowledged = 0;  // answered with 2xx
  std::uint64_t failed = 0;        // given up
  std::uint64_t dropped = 0;       // no room in the queue
  std::uint64_t waiting = 0;       // handed in, not ended
};

// One thread and libcurl's multi interface. Safe to call from several threads.
class Callbacks {
 public:
  Callbacks();
  // Ends the tries in flight; what waits is not sent.
  ~Callbacks();
  Callbacks(const Callbacks&) = delete;
  Callbacks& operator=(const Callbacks&) = delete;

  void Post(Webhook webhook);  // never blocks
  void Forget();               // drops all that waits or is under way
  CallbackCounts Counts() const;

 private:
  class Sender;
  std::unique_ptr<Sender> sender_;
};

}  // namespace tocsin::sim
