// Twilio's requests: verified, sealed, published, answered. Nothing blocks.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/encoding.h"
#include "common/base/time.h"
#include "common/base/trace.h"
#include "common/domain/consents.h"
#include "common/domain/topics.h"
#include "common/http/server.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/registry_source.h"
#include "common/ports/vault.h"
#include "common/ports/work_lookup.h"
#include "services/ingress/call_script.h"
#include "services/ingress/marking.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::ingress {

// How a request ended, for metrics and the log; every value is counted from the start.
enum class Verdict {
  kPublished,    // 2xx after the delivery report
  kUnknownPath,  // 404
  kWrongMethod,  // 405
  kUnreadable,   // 400: a form that cannot be decoded
  kWrongType,    // 415
  kUnsigned,     // 403: no signature
  kForged,       // 403: a signature of nobody
  kClosed,       // 403: the channel is switched off, or there is no account to verify with
  kNoCall,       // 403: a call's request without a token of ours, or with one that is too old
  kUnavailable,  // 503: the log or the keys did not answer; Twilio retries
};
constexpr int kVerdicts = 10;
std::string_view NameOf(Verdict verdict);

// A webhook that is on disk, or could not be brought there.
struct PublishedWebhook {
  std::string alert_id;  // empty: it names no try of ours
  TraceContext trace;
  bool persisted = false;
  Micros took{};  // from its signature being found good to the last delivery report
};

struct WebhookObserver {
  std::function<void(Verdict verdict, v1::WebhookKind kind, std::string_view signed_by)> answered =
      [](Verdict, v1::WebhookKind, std::string_view) {};
  // A callback that says "delivered" came this long after its POST.
  std::function<void(Micros after)> delivered = [](Micros) {};
  std::function<void(const PublishedWebhook& webhook)> published = [](const PublishedWebhook&) {};
};

// The handler of the public port. Safe to call from several threads; the parts outlive every
// answer.
class Webhooks {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    Vault& vault;
    RecordLog& log;
    const Topics& topics;
    WorkLookup& works;
    Marking& marking;
  };

  // `public_base_url` is how Twilio reaches this server: scheme, host, port and path prefix,
  // without a slash at the end. Signatures cover it, so it comes from configuration and never from
  // a request.
  Webhooks(Parts parts, std::string public_base_url, WebhookObserver observer);

  void Handle(http::Request request, http::Responder responder);

 private:
  struct Route {
    v1::WebhookKind kind;
    std::string_view token;  // empty: none in the path
  };
  struct Visit;  // one request on its way

  // Whose token made the signature.
  struct Signer {
    const Account* account = nullptr;
    std::string_view token;  // "primary" or "secondary"
  };

  static std::optional<Route> RouteOf(std::string_view path);
  static v1::WebhookKind KindOfAlias(const FormFields& fields);
  std::optional<Signer> SignerOf(const RegistrySnapshot& registry, const http::Request& request,
                                 bool is_json, const FormFields& fields) const;
  void HandlePost(Route route, const http::Request& request, http::Responder responder);
  Result<v1::WebhookRecord> RecordOf(const Route& route, const http::Request& request,
                                     const FormFields& fields, const Signer& signer);
  void AddTry(std::string_view token, v1::WebhookRecord& record);
  static std::vector<v1::ConsentRecord> ConsentsOf(const v1::WebhookRecord& record,
                                                   const FormFields& fields);
  std::optional<CallTurn> TurnOf(const Route& route, const http::Request& request,
                                 const v1::WebhookRecord& record, const TraceContext& trace) const;
  void Publish(v1::WebhookRecord record, const std::vector<v1::ConsentRecord>& consents,
               std::optional<CallTurn> turn, const TraceContext& trace, http::Responder responder);
  void Log(const std::shared_ptr<Visit>& visit, OutgoingRecord record);
  void Acknowledge(const std::shared_ptr<Visit>& visit);
  void Finish(Visit& visit);
  void Answer(Visit& visit);
  http::Response AnswerToCall(const Visit& visit);
  void Refuse(Verdict verdict, v1::WebhookKind kind, http::Responder responder);

  const Parts parts_;
  const std::string public_base_url_;
  const WebhookObserver observer_;
};

}  // namespace tocsin::ingress
