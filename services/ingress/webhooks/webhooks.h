// Twilio's requests: verify, seal, publish, respond.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/base/trace.h"
#include "common/http/server.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/registry_source.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"
#include "common/ports/work_lookup.h"
#include "services/ingress/actions/alert_actions.h"
#include "services/ingress/webhooks/call_script.h"
#include "services/ingress/webhooks/result.h"
#include "services/ingress/webhooks/routes.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::ingress {

// A verified webhook whose publish ended.
struct PublishedWebhook {
  std::string alert_id;  // empty: it names no attempt of ours
  TraceContext trace;
  bool persisted = false;
  Micros duration{};  // from the verification of the signature to the last delivery report
};

// For metrics, spans and the log. Called on any thread; must not block.
struct WebhookObserver {
  std::function<void(WebhookResult result, records::v1::WebhookKind kind,
                     records::v1::SigningToken signed_by)>
      result = [](WebhookResult, records::v1::WebhookKind, records::v1::SigningToken) {};
  // A status callback reported a delivery, this long after the callback URL was made.
  std::function<void(Micros delay)> delivered = [](Micros) {};
  std::function<void(AckReplyResult result)> ack_reply = [](AckReplyResult) {};
  std::function<void(const PublishedWebhook& webhook)> published = [](const PublishedWebhook&) {};
};

// The handler of the public port. Never blocks. Safe to use from several threads; the parts must
// outlive every response.
class Webhooks {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    Vault& vault;
    RecordLog& log;
    const Topics& topics;
    WorkLookup& works;
    AlertActions& alert_actions;
  };

  // `public_base_url`: see Verify(). It comes from configuration, never from a request.
  Webhooks(Parts parts, std::string public_base_url, WebhookObserver observer);

  // Responds once, after everything is on disk.
  void Handle(const http::Request& request, http::Responder responder);

 private:
  struct WebhookContext;

  void HandlePost(Route route, const http::Request& request, http::Responder responder);
  void Publish(const std::shared_ptr<WebhookContext>& context,
               const std::vector<records::v1::ConsentRecord>& consents);
  void PublishOne(const std::shared_ptr<WebhookContext>& context, OutgoingRecord record);
  void FindWork(const std::shared_ptr<WebhookContext>& context);
  void Acknowledge(const std::shared_ptr<WebhookContext>& context);
  void Decline(const std::shared_ptr<WebhookContext>& context);
  void ProcessReply(const std::shared_ptr<WebhookContext>& context);
  void Release(WebhookContext& context);
  void Respond(WebhookContext& context);
  std::optional<std::string> ScriptOf(const WebhookContext& context);
  void Refuse(WebhookResult result, records::v1::WebhookKind kind, http::Responder responder);

  const Parts parts_;
  const std::string public_base_url_;
  const WebhookObserver observer_;
};

}  // namespace tocsin::ingress
