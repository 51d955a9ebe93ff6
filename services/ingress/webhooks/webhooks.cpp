#include "services/ingress/webhooks/webhooks.h"

#include <atomic>
#include <utility>

#include "common/domain/plan/plan.h"
#include "common/domain/registry/consents.h"
#include "common/twilio/twiml/message_twiml.h"
#include "common/twilio/webhooks/callback_url.h"
#include "services/ingress/webhooks/record.h"
#include "services/ingress/webhooks/verification.h"

namespace tocsin::ingress {
namespace {

// A child of the trace in the query of the callback URL, or a new trace.
TraceContext TraceOf(const http::Request& request) {
  const std::string_view query = request.Query(), name = twilio::kTraceQuery.substr(1);
  if (!query.starts_with(name)) return TraceContext::New();
  const std::string_view value = query.substr(name.size());
  return TraceContext::Continue(value.substr(0, value.find('&')));
}

// Webhooks of an alert are in its partition, others in that of their SID.
std::string KeyOf(const records::v1::WebhookRecord& record) {
  if (record.has_attempt()) return record.attempt().alert_id();
  return record.provider_sid().empty() ? record.webhook_id() : record.provider_sid();
}

}  // namespace

// A verified request. The response is sent when nothing is open any more: all records are
// published, the work record of a call was looked up, and a reply was processed.
struct Webhooks::WebhookContext {
  WebhookContext(http::Responder its_responder, records::v1::WebhookRecord its_record,
                 std::optional<ScriptRequest> its_script,
                 std::optional<twilio::AckReply> its_ack_reply, const TraceContext& its_trace)
      : responder(std::move(its_responder)),
        record(std::move(its_record)),
        script(std::move(its_script)),
        ack_reply(std::move(its_ack_reply)),
        trace(its_trace) {}

  http::Responder responder;
  const records::v1::WebhookRecord record;
  const std::optional<ScriptRequest> script;        // of a request during a call
  const std::optional<twilio::AckReply> ack_reply;  // of an inbound message
  AckReplyResult ack_result = AckReplyResult::kNoAlert;
  std::optional<records::v1::WorkRecord> work;  // of the call; nothing if not found
  std::atomic<size_t> open{0};
  std::atomic<bool> failed{false};
  const TraceContext trace;
  const SteadyTime start = std::chrono::steady_clock::now();
};

Webhooks::Webhooks(Parts parts, std::string public_base_url, WebhookObserver observer)
    : parts_(parts), public_base_url_(std::move(public_base_url)), observer_(std::move(observer)) {}

void Webhooks::Handle(const http::Request& request, http::Responder responder) {
  const auto route = RouteOf(request.Path());
  if (!route)
    return Refuse(WebhookResult::kUnknownPath, records::v1::WEBHOOK_KIND_UNSPECIFIED,
                  std::move(responder));
  if (request.method != "POST")
    return Refuse(WebhookResult::kWrongMethod, route->kind, std::move(responder));
  HandlePost(*route, request, std::move(responder));
}

void Webhooks::HandlePost(Route route, const http::Request& request, http::Responder responder) {
  const auto refuse = [&](WebhookResult result) {
    Refuse(result, route.kind, std::move(responder));
  };
  const auto registry = parts_.registry.Now();
  if (IsChannelDisabled(*registry, route.kind)) return refuse(WebhookResult::kChannelDisabled);
  const auto verified = Verify(*registry, request, public_base_url_);
  if (!verified) return refuse(verified.error());

  if (route.kind == records::v1::WEBHOOK_KIND_UNSPECIFIED) route.kind = KindOf(verified->fields);
  if (IsChannelDisabled(*registry, route.kind)) return refuse(WebhookResult::kChannelDisabled);
  const WallTime now = parts_.clock.Now();
  auto record = MakeWebhookRecord(route, request, *verified, parts_.vault, parts_.topics, now);
  if (!record) return refuse(WebhookResult::kUnavailable);
  const TraceContext trace = TraceOf(request);
  auto script = ScriptRequestOf(route, request, *record, trace, parts_.topics, now);
  if (!script && IsDuringCall(route.kind)) return refuse(WebhookResult::kUnknownCall);
  if (record->kind() == records::v1::WEBHOOK_KIND_SMS_STATUS &&
      record->status() == v1::ATTEMPT_STATUS_DELIVERED && record->token_time_us() > 0)
    observer_.delivered(Micros(record->receive_time_us() - record->token_time_us()));
  const auto consents = ConsentsOf(*record, verified->fields);
  auto ack_reply = AckReplyOf(*record, verified->fields);
  Publish(std::make_shared<WebhookContext>(std::move(responder), *std::move(record),
                                           std::move(script), std::move(ack_reply), trace),
          consents);
}

void Webhooks::Publish(const std::shared_ptr<WebhookContext>& context,
                       const std::vector<records::v1::ConsentRecord>& consents) {
  std::vector<OutgoingRecord> records;
  records.reserve(consents.size() + 1);
  for (const records::v1::ConsentRecord& consent : consents)
    records.push_back(MakeRecord(parts_.topics.Consents(),
                                 ConsentKey(consent.recipient().token(), consent.sender_address()),
                                 consent, context->trace.Text()));
  records.push_back(MakeRecord(parts_.topics.Webhooks(), KeyOf(context->record), context->record,
                               context->trace.Text()));
  context->open = records.size() + (context->script ? 1 : 0) + (context->ack_reply ? 1 : 0);
  if (context->script) FindWork(context);
  if (context->ack_reply) ProcessReply(context);
  for (OutgoingRecord& record : records) PublishOne(context, std::move(record));
}

void Webhooks::PublishOne(const std::shared_ptr<WebhookContext>& context, OutgoingRecord record) {
  parts_.log.Publish(std::move(record), [this, context](const PublishReport& report) {
    if (report.outcome != PublishOutcome::kPersisted) context->failed = true;
    Release(*context);
  });
}

void Webhooks::FindWork(const std::shared_ptr<WebhookContext>& context) {
  parts_.works.Find(context->record.attempt(), context->record.work(),
                    [this, context](Result<records::v1::WorkRecord> found) {
                      // Without the work record it is not known whether this declines.
                      const bool unknown = !found && found.error().code != ErrorCode::kNotFound;
                      if (found) context->work = *std::move(found);
                      if (unknown && context->script->key == CallKey::kEscalate)
                        context->failed = true;
                      if (context->script->key == CallKey::kAcknowledge)
                        return Acknowledge(context);
                      if (context->script->key == CallKey::kEscalate && context->work &&
                          context->work->has_plan())
                        return Decline(context);
                      Release(*context);
                    });
}

// The mark stops the attempts that wait. If there is no alert to mark, or no store, the event alone
// records the key press.
void Webhooks::Acknowledge(const std::shared_ptr<WebhookContext>& context) {
  const std::string& alert_id = context->record.attempt().alert_id();
  const auto publish_event = [this, context, alert_id] {
    PublishOne(context, MakeRecord(parts_.topics.Events(), alert_id,
                                   AcknowledgedByKeypress(
                                       context->record,
                                       context->work ? PersonOf(*context->work) : std::string()),
                                   context->trace.Text()));
  };
  if (!context->work) return publish_event();
  parts_.alert_actions.AcknowledgeByKeypress(
      context->work->client_id(),
      {.alert_id = alert_id,
       .step = context->record.attempt().step(),
       .evidence = context->record.provider_sid(),
       .person = PersonOf(*context->work)},
      context->trace.Text(), [this, context, publish_event](const Result<AckOutcome>& outcome) {
        const bool marked = outcome || outcome.error().code == ErrorCode::kKafkaUnavailable ||
                            outcome.error().code == ErrorCode::kOutcomeUnknown;
        if (!marked) return publish_event();
        if (!outcome) context->failed = true;  // Twilio repeats the request
        Release(*context);
      });
}

// Twilio repeats the request if the event or the next step is not on disk.
void Webhooks::Decline(const std::shared_ptr<WebhookContext>& context) {
  parts_.alert_actions.Decline({.work = *context->work, .call_sid = context->record.provider_sid()},
                               context->trace.Text(), [this, context](const Status& declined) {
                                 if (!declined) context->failed = true;
                                 Release(*context);
                               });
}

// Twilio repeats the request if the reply cannot be processed.
void Webhooks::ProcessReply(const std::shared_ptr<WebhookContext>& context) {
  parts_.alert_actions.ProcessReply({.kind = context->ack_reply->kind,
                                     .recipient_token = context->record.recipient().token(),
                                     .code = context->ack_reply->code,
                                     .message_sid = context->record.provider_sid()},
                                    context->trace.Text(),
                                    [this, context](const Result<AckReplyResult>& result) {
                                      if (result) {
                                        context->ack_result = *result;
                                        observer_.ack_reply(*result);
                                      } else {
                                        context->failed = true;
                                      }
                                      Release(*context);
                                    });
}

void Webhooks::Release(WebhookContext& context) {
  if (context.open.fetch_sub(1) == 1) Respond(context);
}

void Webhooks::Respond(WebhookContext& context) {
  const records::v1::WebhookKind kind = context.record.kind();
  observer_.published(
      {context.record.attempt().alert_id(), context.trace, !context.failed,
       std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - context.start)});
  http::Response response = PublishedResponse(kind);
  if (context.ack_reply)
    response = TwimlResponse(twilio::AckReplyTwiml(context.ack_reply->language_code,
                                                   context.ack_reply->kind, context.ack_result));
  bool unavailable = context.failed;
  if (!unavailable && context.script) {
    auto script = ScriptOf(context);
    unavailable = !script;  // Twilio repeats the request
    if (script) response = TwimlResponse(*std::move(script));
  }
  if (unavailable) return Refuse(WebhookResult::kUnavailable, kind, std::move(context.responder));
  observer_.result(WebhookResult::kPublished, kind, context.record.signed_by());
  context.responder.Send(std::move(response));
}

// Nothing if the text is needed and not available.
std::optional<std::string> Webhooks::ScriptOf(const WebhookContext& context) {
  if (!context.work && NeedsText(*context.script)) return std::nullopt;
  auto script = Script(*context.script, context.work.value_or(records::v1::WorkRecord()),
                       parts_.vault, public_base_url_);
  if (!script) return std::nullopt;
  return *std::move(script);
}

void Webhooks::Refuse(WebhookResult result, records::v1::WebhookKind kind,
                      http::Responder responder) {
  observer_.result(result, kind, records::v1::SIGNING_TOKEN_UNSPECIFIED);
  responder.Send(ErrorResponse(result));
}

}  // namespace tocsin::ingress
