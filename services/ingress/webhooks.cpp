#include "services/ingress/webhooks.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/uuid.h"
#include "common/domain/ids.h"
#include "common/domain/phone.h"
#include "common/domain/twilio_errors.h"
#include "common/twilio/callback_link.h"
#include "common/twilio/opt_out.h"
#include "common/twilio/signature.h"
#include "common/twilio/try_token.h"
#include "common/twilio/webhook.h"

namespace tocsin::ingress {
namespace {

constexpr size_t kAccountsTried = 32;  // of a request that names no account of ours
constexpr std::string_view kAlias = "/relay/twilio/webhook";
constexpr std::string_view kDelivered = "delivered";

struct Prefix {
  std::string_view path;
  v1::WebhookKind kind;
  bool takes_token;
};
constexpr Prefix kRoutes[] = {
    {"/twilio/sms/status", v1::WEBHOOK_KIND_SMS_STATUS, true},
    {"/twilio/sms/inbound", v1::WEBHOOK_KIND_SMS_INBOUND, false},
    {"/twilio/voice/status", v1::WEBHOOK_KIND_VOICE_STATUS, true},
    {"/twilio/voice/gather", v1::WEBHOOK_KIND_VOICE_GATHER, true},
    {"/twilio/voice/twiml", v1::WEBHOOK_KIND_VOICE_TWIML, true},
};

constexpr std::string_view kByKey = "a key press";  // who acknowledged, in timelines

// A call waits a day in Twilio's queue at most, and lasts four hours at most.
constexpr std::chrono::hours kCallTokenLife{48};

bool IsOfACallUnderWay(v1::WebhookKind kind) {
  return kind == v1::WEBHOOK_KIND_VOICE_GATHER || kind == v1::WEBHOOK_KIND_VOICE_TWIML;
}

// Whether nothing of the kind's channel is taken in here. The alias learns its kind later.
bool IsClosed(const RegistrySnapshot& registry, v1::WebhookKind kind) {
  if (std::ranges::all_of(registry.All().accounts,
                          [](const Account& account) { return account.auth_token.empty(); }))
    return true;
  if (kind == v1::WEBHOOK_KIND_UNSPECIFIED) return false;
  const bool sms = kind == v1::WEBHOOK_KIND_SMS_STATUS || kind == v1::WEBHOOK_KIND_SMS_INBOUND;
  return registry.ModeOf(sms ? v1::CHANNEL_SMS : v1::CHANNEL_VOICE) == ChannelMode::kDisabled;
}

int StatusOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPublished: return 204;
    case Verdict::kUnknownPath: return 404;
    case Verdict::kWrongMethod: return 405;
    case Verdict::kUnreadable: return 400;
    case Verdict::kWrongType: return 415;
    case Verdict::kUnsigned:
    case Verdict::kForged:
    case Verdict::kClosed:
    case Verdict::kNoCall: return 403;
    case Verdict::kUnavailable: return 503;
  }
  return 500;
}

// The next step of the trace that the callback's URL leads on; a new one without it.
TraceContext TraceOf(const http::Request& request) {
  const std::string_view query = request.Query(), wanted = twilio::kTraceQuery.substr(1);
  if (!query.starts_with(wanted)) return TraceContext::New();
  const std::string_view value = query.substr(wanted.size());
  return TraceContext::Continue(value.substr(0, value.find('&')));
}

// What the person, or Twilio on the person's behalf, says of being written to or called.
v1::ConsentState WishedBy(const v1::WebhookRecord& record, const FormFields& fields) {
  bool stop = false;
  if (record.kind() == v1::WEBHOOK_KIND_SMS_INBOUND) {
    const auto wish =
        twilio::WishOf(twilio::FieldOf(fields, "Body"), twilio::FieldOf(fields, "OptOutType"));
    if (wish == twilio::ConsentWish::kStart) return v1::CONSENT_STATE_OPTED_IN;
    stop = wish == twilio::ConsentWish::kStop;
  } else if (record.kind() == v1::WEBHOOK_KIND_VOICE_GATHER) {
    stop = CallKeyOf(record.provider_status()) == CallKey::kOptOut;
  } else {
    stop = Describe(record.provider_code()).error_class == TwilioErrorClass::kOptOut;
  }
  return stop ? v1::CONSENT_STATE_OPTED_OUT : v1::CONSENT_STATE_UNSPECIFIED;
}

std::string_view SourceOf(v1::WebhookKind kind) {
  if (kind == v1::WEBHOOK_KIND_SMS_INBOUND) return "inbound";
  return kind == v1::WEBHOOK_KIND_VOICE_GATHER ? "keypad" : "callback";
}

// The media type without its parameters.
bool HasType(const http::Request& request, std::string_view type) {
  const auto header = request.Find("content-type");
  if (!header) return false;
  std::string_view media = header->substr(0, header->find(';'));
  while (!media.empty() && media.back() == ' ') media.remove_suffix(1);
  return http::SameToken(media, type);
}

}  // namespace

std::string_view NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPublished: return "published";
    case Verdict::kUnknownPath: return "unknown_path";
    case Verdict::kWrongMethod: return "wrong_method";
    case Verdict::kUnreadable: return "unreadable";
    case Verdict::kWrongType: return "wrong_type";
    case Verdict::kUnsigned: return "unsigned";
    case Verdict::kForged: return "forged";
    case Verdict::kClosed: return "closed";
    case Verdict::kNoCall: return "no_call";
    case Verdict::kUnavailable: return "unavailable";
  }
  return "unknown";
}

Webhooks::Webhooks(Parts parts, std::string public_base_url, WebhookObserver observer)
    : parts_(parts), public_base_url_(std::move(public_base_url)), observer_(std::move(observer)) {}

std::optional<Webhooks::Route> Webhooks::RouteOf(std::string_view path) {
  if (path == kAlias) return Route{v1::WEBHOOK_KIND_UNSPECIFIED, {}};
  for (const Prefix& route : kRoutes) {
    if (path == route.path) return Route{route.kind, {}};
    if (route.takes_token && path.starts_with(route.path) && path[route.path.size()] == '/')
      return Route{route.kind, path.substr(route.path.size() + 1)};
  }
  return std::nullopt;
}

// The alias takes every kind; what the request is shows in its fields.
v1::WebhookKind Webhooks::KindOfAlias(const FormFields& fields) {
  if (!twilio::FieldOf(fields, "CallSid").empty()) return v1::WEBHOOK_KIND_VOICE_STATUS;
  if (!twilio::FieldOf(fields, "MessageStatus").empty()) return v1::WEBHOOK_KIND_SMS_STATUS;
  if (!twilio::FieldOf(fields, "MessageSid").empty()) return v1::WEBHOOK_KIND_SMS_INBOUND;
  return v1::WEBHOOK_KIND_UNSPECIFIED;
}

// The account that a request names decides which tokens it is checked against; nothing of it is
// believed before that. One that names none of ours may still be made with a token of ours, and is
// then as authentic.
std::optional<Webhooks::Signer> Webhooks::SignerOf(const RegistrySnapshot& registry,
                                                   const http::Request& request, bool is_json,
                                                   const FormFields& fields) const {
  const std::string_view signature = request.Find("x-twilio-signature").value_or("");
  const std::string url = public_base_url_ + request.target;
  const auto check = [&](const Account& account) -> std::optional<Signer> {
    const auto who = is_json ? twilio::WhoSignedJson(account, url, request.body, signature)
                             : twilio::WhoSignedForm(account, url, fields, signature);
    if (who == twilio::SignedBy::kNobody) return std::nullopt;
    return Signer{&account, twilio::NameOf(who)};
  };
  if (const Account* named = registry.FindAccount(twilio::FieldOf(fields, "AccountSid")))
    return check(*named);
  const auto& accounts = registry.All().accounts;
  for (size_t i = 0; i < std::min(accounts.size(), kAccountsTried); ++i)
    if (const auto signer = check(accounts[i])) return signer;
  return std::nullopt;
}

void Webhooks::Handle(http::Request request, http::Responder responder) {
  const auto route = RouteOf(request.Path());
  if (!route)
    return Refuse(Verdict::kUnknownPath, v1::WEBHOOK_KIND_UNSPECIFIED, std::move(responder));
  if (request.method != "POST")
    return Refuse(Verdict::kWrongMethod, route->kind, std::move(responder));
  HandlePost(*route, request, std::move(responder));
}

void Webhooks::HandlePost(Route route, const http::Request& request, http::Responder responder) {
  const auto refuse = [&](Verdict verdict) { Refuse(verdict, route.kind, std::move(responder)); };
  const auto registry = parts_.registry.Now();
  if (IsClosed(*registry, route.kind)) return refuse(Verdict::kClosed);
  if (!request.Find("x-twilio-signature")) return refuse(Verdict::kUnsigned);
  if (!twilio::IsSignedByToken(request.Find("x-twilio-webhooks-signature-settings").value_or("")))
    return refuse(Verdict::kForged);
  const bool is_json = HasType(request, "application/json");
  if (!is_json && !request.body.empty() && !HasType(request, "application/x-www-form-urlencoded"))
    return refuse(Verdict::kWrongType);
  const auto fields =
      is_json ? Result<FormFields>() : FormDecode(request.body, twilio::kMaxWebhookFields);
  if (!fields) return refuse(Verdict::kUnreadable);
  const auto signer = SignerOf(*registry, request, is_json, *fields);
  if (!signer) return refuse(Verdict::kForged);

  if (route.kind == v1::WEBHOOK_KIND_UNSPECIFIED) route.kind = KindOfAlias(*fields);
  if (IsClosed(*registry, route.kind)) return refuse(Verdict::kClosed);
  auto record = RecordOf(route, request, *fields, *signer);
  if (!record) return refuse(Verdict::kUnavailable);
  const TraceContext trace = TraceOf(request);
  auto turn = TurnOf(route, request, *record, trace);
  if (!turn && IsOfACallUnderWay(route.kind)) return refuse(Verdict::kNoCall);
  if (record->provider_status() == kDelivered && record->token_time_us() > 0)
    observer_.delivered(Micros(record->received_time_us() - record->token_time_us()));
  const auto consents = ConsentsOf(*record, *fields);
  Publish(*std::move(record), consents, std::move(turn), trace, std::move(responder));
}

// Nothing unless the request is of a call of ours that may still be under way.
std::optional<CallTurn> Webhooks::TurnOf(const Route& route, const http::Request& request,
                                         const v1::WebhookRecord& record,
                                         const TraceContext& trace) const {
  const auto age = parts_.clock.Now() - FromUnixMicros(record.token_time_us());
  if (!IsOfACallUnderWay(route.kind) || !record.has_try_() || age > kCallTokenLife ||
      !parts_.topics.IsLaneOf(v1::CHANNEL_VOICE, record.work().topic()))
    return std::nullopt;
  const bool text = route.kind == v1::WEBHOOK_KIND_VOICE_TWIML;
  return CallTurn{.token = std::string(route.token),
                  .trace = trace,
                  .key = text ? CallKey::kNone : CallKeyOf(record.provider_status()),
                  .round = text ? 0 : RoundOf(request.target)};
}

// Fails only for want of keys: what Twilio signed is published, also when its fields are not those
// we know.
Result<v1::WebhookRecord> Webhooks::RecordOf(const Route& route, const http::Request& request,
                                             const FormFields& fields, const Signer& signer) {
  auto read = twilio::ReadWebhook(route.kind, fields, RoundOf(request.target));
  v1::WebhookRecord record = read ? *std::move(read) : v1::WebhookRecord();
  if (!read) {
    record.set_webhook_id(MakeUuidV5(request.target + '\n' + request.body));
    // A wish to be left alone counts whatever else its message holds.
    if (route.kind == v1::WEBHOOK_KIND_SMS_INBOUND) record.set_kind(route.kind);
  }
  record.set_account_sid(signer.account->sid);
  record.set_signed_by(std::string(signer.token));
  record.set_received_time_us(ToUnixMicros(parts_.clock.Now()));
  AddTry(route.token, record);
  if (const auto phone = Phone::Parse(twilio::OtherParty(route.kind, fields)))
    *record.mutable_recipient() = parts_.vault.Refer(*phone);
  if (const auto repeat = request.Find("i-twilio-idempotency-token"))
    record.set_repeat_digest(parts_.vault.DigestRequest(*repeat));
  TOCSIN_TRY(SealedValue sealed,
             parts_.vault.Seal({record.account_sid(), record.webhook_id(), "form"}, request.body));
  *record.mutable_form() = std::move(sealed.sealed);
  *record.mutable_key() = std::move(sealed.key);
  return record;
}

// A token that is not ours leaves the webhook without a try: its signature is good, so it is
// published all the same.
void Webhooks::AddTry(std::string_view token, v1::WebhookRecord& record) {
  if (token.empty()) return;
  const auto content = twilio::ParseTryToken(parts_.vault, token);
  if (!content) return;
  *record.mutable_try_() = content->name;
  record.mutable_work()->set_topic(parts_.topics.Lane(content->channel, content->alert_class));
  record.mutable_work()->set_partition(content->partition);
  record.mutable_work()->set_offset(content->offset);
  record.set_token_time_us(ToUnixMicros(content->time));
}

// One for each name of our side of the conversation: the number, and the service it sits in. Which
// of them a sender of the registry goes by, the request does not tell.
std::vector<v1::ConsentRecord> Webhooks::ConsentsOf(const v1::WebhookRecord& record,
                                                    const FormFields& fields) {
  v1::ConsentRecord consent;
  consent.set_state(WishedBy(record, fields));
  if (!record.has_recipient() || consent.state() == v1::CONSENT_STATE_UNSPECIFIED) return {};
  *consent.mutable_recipient() = record.recipient();
  consent.set_observed_time_us(record.received_time_us());
  consent.set_source(std::string(SourceOf(record.kind())));
  const bool inbound = record.kind() == v1::WEBHOOK_KIND_SMS_INBOUND;
  const std::string_view service = twilio::FieldOf(fields, "MessagingServiceSid");
  consent.set_sender(std::string(twilio::FieldOf(fields, inbound ? "To" : "From")));
  std::vector<v1::ConsentRecord> consents;
  if (service.empty() || !consent.sender().empty()) consents.push_back(consent);
  if (service.empty()) return consents;
  consent.set_sender(std::string(service));
  consents.push_back(std::move(consent));
  return consents;
}

// One answer for all that it waits for: the last report, or the text of a call, gives it.
struct Webhooks::Visit {
  Visit(http::Responder answer, v1::WebhookRecord of, std::optional<CallTurn> turn_of,
        const TraceContext& its_trace)
      : responder(std::move(answer)),
        record(std::move(of)),
        turn(std::move(turn_of)),
        trace(its_trace),
        began(std::chrono::steady_clock::now()) {}
  http::Responder responder;
  const v1::WebhookRecord record;
  const std::optional<CallTurn> turn;
  std::optional<v1::WorkRecord> work;  // of the turn; nothing when it was not found
  std::atomic<size_t> open{0};
  std::atomic<bool> failed{false};
  const TraceContext trace;
  const SteadyTime began;
};

namespace {

OutgoingRecord Outgoing(std::string topic, std::string key,
                        const google::protobuf::Message& message, const TraceContext& trace) {
  OutgoingRecord out{std::move(topic), std::move(key), message.SerializeAsString(), {}};
  out.headers.emplace_back(kHeaderSchema, message.GetDescriptor()->full_name());
  out.headers.emplace_back(kHeaderTraceparent, trace.Text());
  return out;
}

// The same for every repetition of the press. Whose alert it is, its acceptance says.
v1::Event AcknowledgedByKey(const v1::WebhookRecord& press) {
  v1::Event event;
  event.set_event_id(EventId(press.try_(), "acknowledged:key"));
  *event.mutable_try_() = press.try_();
  event.set_channel(v1::CHANNEL_VOICE);
  event.set_time_us(press.received_time_us());
  *event.mutable_recipient() = press.recipient();
  event.mutable_acknowledged()->set_by(std::string(kByKey));
  return event;
}

}  // namespace

void Webhooks::Publish(v1::WebhookRecord record, const std::vector<v1::ConsentRecord>& consents,
                       std::optional<CallTurn> turn, const TraceContext& trace,
                       http::Responder responder) {
  std::vector<OutgoingRecord> records;
  for (const v1::ConsentRecord& consent : consents)
    records.push_back(Outgoing(parts_.topics.Consents(),
                               ConsentKey(consent.recipient().token(), consent.sender()), consent,
                               trace));
  const std::string& name =
      record.provider_sid().empty() ? record.webhook_id() : record.provider_sid();
  records.push_back(Outgoing(parts_.topics.Webhooks(),
                             record.has_try_() ? record.try_().alert_id() : name, record, trace));
  const auto visit =
      std::make_shared<Visit>(std::move(responder), std::move(record), std::move(turn), trace);
  visit->open = records.size() + (visit->turn ? 1 : 0);
  if (visit->turn)
    parts_.works.Find(visit->record.try_(), visit->record.work(),
                      [this, visit](Result<v1::WorkRecord> found) {
                        if (found) visit->work = *std::move(found);
                        if (visit->turn->key == CallKey::kAcknowledge) return Acknowledge(visit);
                        Finish(*visit);
                      });
  for (OutgoingRecord& out : records) Log(visit, std::move(out));
}

void Webhooks::Log(const std::shared_ptr<Visit>& visit, OutgoingRecord record) {
  parts_.log.Publish(std::move(record), [this, visit](const PublishReport& said) {
    if (said.outcome != PublishOutcome::kPersisted) visit->failed = true;
    Finish(*visit);
  });
}

// The mark stops the calls that wait. Where there is nothing to mark, or no store, the event alone
// tells of the press.
void Webhooks::Acknowledge(const std::shared_ptr<Visit>& visit) {
  const auto only_tell = [this, visit] {
    Log(visit, Outgoing(parts_.topics.Events(), visit->record.try_().alert_id(),
                        AcknowledgedByKey(visit->record), visit->trace));
  };
  if (!visit->work) return only_tell();
  v1::AcknowledgeRequest request;
  request.set_alert_id(visit->record.try_().alert_id());
  request.set_acknowledged_by(std::string(kByKey));
  parts_.marking.Acknowledge(
      visit->work->client_id(), request, visit->trace.Text(),
      [this, visit, only_tell](const Result<v1::AcknowledgeResponse>& marked) {
        const bool logged = marked || marked.error().code == ErrorCode::kKafkaUnavailable ||
                            marked.error().code == ErrorCode::kOutcomeUnknown;
        if (!logged) return only_tell();
        if (!marked) visit->failed = true;  // Twilio asks again
        Finish(*visit);
      });
}

void Webhooks::Finish(Visit& visit) {
  if (visit.open.fetch_sub(1) == 1) Answer(visit);
}

void Webhooks::Answer(Visit& visit) {
  const v1::WebhookKind kind = visit.record.kind();
  http::Response response{204, {}, {}, {}};
  if (kind == v1::WEBHOOK_KIND_SMS_INBOUND)  // Twilio wants TwiML here; an empty one sends no reply
    response = {200, "text/xml", "<Response/>", {}};
  if (visit.turn) response = AnswerToCall(visit);
  observer_.published(
      {visit.record.try_().alert_id(), visit.trace, !visit.failed,
       std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - visit.began)});
  if (visit.failed || response.status == StatusOf(Verdict::kUnavailable))
    return Refuse(Verdict::kUnavailable, kind, std::move(visit.responder));
  observer_.answered(Verdict::kPublished, kind, visit.record.signed_by());
  visit.responder.Send(std::move(response));
}

// Twilio asks again when the text could not be had.
http::Response Webhooks::AnswerToCall(const Visit& visit) {
  if (!visit.work && NeedsText(*visit.turn)) return {StatusOf(Verdict::kUnavailable), {}, {}, {}};
  auto script =
      Script(*visit.turn, visit.work.value_or(v1::WorkRecord()), parts_.vault, public_base_url_);
  if (!script) return {StatusOf(Verdict::kUnavailable), {}, {}, {}};
  return {200, "text/xml", *std::move(script), {}};
}

void Webhooks::Refuse(Verdict verdict, v1::WebhookKind kind, http::Responder responder) {
  observer_.answered(verdict, kind, "");
  http::Response response{StatusOf(verdict), {}, {}, {}};
  if (verdict == Verdict::kWrongMethod) response.headers = {{"Allow", "POST"}};
  if (verdict == Verdict::kUnavailable) response.headers = {{"Retry-After", "1"}};
  responder.Send(std::move(response));
}

}  // namespace tocsin::ingress
