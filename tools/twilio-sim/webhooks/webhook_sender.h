// Sends webhooks: keeps those of a message in order and retries by the connection overrides.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tools/twilio-sim/webhooks/callback_url.h"

namespace tocsin::sim {

constexpr size_t kMaxQueuedWebhooks = 500'000;  // further ones are dropped and counted
constexpr size_t kMaxWebhooksInFlight = 128;    // also the maximum of idle connections
constexpr size_t kMaxWebhookResponse =
    64 * 1024 + 1;  // bytes; enough to detect TwiML that is too large

struct WebhookResponse {
  int status = 0;      // 0: no response
  int error_code = 0;  // Twilio's error code if there is no response
  std::string content_type = {};
  std::string body = {};
  int attempts = 0;
};

struct Webhook {
  // Webhooks with the same order are sent one after another, in the order of Post(). 0: at once.
  std::uint64_t order = 0;
  CallbackUrl url;
  bool get = false;       // else POST
  std::string form = {};  // the body of a POST
  std::string signature;  // X-Twilio-Signature
  std::string token;      // I-Twilio-Idempotency-Token: the same for every attempt
  std::chrono::milliseconds delay{0};
  // Called on the sending thread after the last attempt. Must not block.
  std::function<void(const WebhookResponse&)> done = {};
};

struct SenderCounts {
  std::uint64_t posted = 0;        // passed to Post()
  std::uint64_t attempts = 0;      // requests started
  std::uint64_t acknowledged = 0;  // got a 2xx
  std::uint64_t failed = 0;        // all attempts failed
  std::uint64_t dropped = 0;       // the queue was full
  std::uint64_t waiting = 0;       // not finished
};

// One thread with libcurl's multi interface. Thread-safe.
class WebhookSender {
 public:
  WebhookSender();
  // Aborts requests in flight; waiting webhooks are not sent.
  ~WebhookSender();
  WebhookSender(const WebhookSender&) = delete;
  WebhookSender& operator=(const WebhookSender&) = delete;

  void Post(Webhook webhook);  // never blocks
  void DiscardAll();           // discards all webhooks that are waiting or in flight
  SenderCounts Counts() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace tocsin::sim
