#include "services/ingress/webhooks.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/uuid.h"
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
};

int StatusOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPublished: return 204;
    case Verdict::kUnknownPath: return 404;
    case Verdict::kWrongMethod: return 405;
    case Verdict::kUnreadable: return 400;
    case Verdict::kWrongType: return 415;
    case Verdict::kUnsigned:
    case Verdict::kForged: return 403;
    case Verdict::kUnavailable: return 503;
  }
  return 500;
}

// The next step of the trace that the callback's URL leads on; a new one without it.
TraceContext TraceOf(const http::Request& request) {
  const std::string_view query = request.Query(), wanted = twilio::kTraceQuery.substr(1);
  return TraceContext::Continue(query.starts_with(wanted) ? query.substr(wanted.size()) : "");
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
  if (!request.Find("x-twilio-signature")) return refuse(Verdict::kUnsigned);
  if (!twilio::IsSignedByToken(request.Find("x-twilio-webhooks-signature-settings").value_or("")))
    return refuse(Verdict::kForged);
  const bool is_json = HasType(request, "application/json");
  if (!is_json && !request.body.empty() && !HasType(request, "application/x-www-form-urlencoded"))
    return refuse(Verdict::kWrongType);
  const auto fields =
      is_json ? Result<FormFields>() : FormDecode(request.body, twilio::kMaxWebhookFields);
  if (!fields) return refuse(Verdict::kUnreadable);
  const auto registry = parts_.registry.Now();
  const auto signer = SignerOf(*registry, request, is_json, *fields);
  if (!signer) return refuse(Verdict::kForged);

  if (route.kind == v1::WEBHOOK_KIND_UNSPECIFIED) route.kind = KindOfAlias(*fields);
  auto record = RecordOf(route, request, *fields, *signer);
  if (!record) return refuse(Verdict::kUnavailable);
  if (record->provider_status() == kDelivered && record->token_time_us() > 0)
    observer_.delivered(Micros(record->received_time_us() - record->token_time_us()));
  auto consent = ConsentOf(*record, *fields);
  Publish(*std::move(record), std::move(consent), TraceOf(request), std::move(responder));
}

// Fails only for want of keys: what Twilio signed is published, also when its fields are not those
// we know.
Result<v1::WebhookRecord> Webhooks::RecordOf(const Route& route, const http::Request& request,
                                             const FormFields& fields, const Signer& signer) {
  auto read = twilio::ReadWebhook(route.kind, fields);
  v1::WebhookRecord record = read ? *std::move(read) : v1::WebhookRecord();
  if (!read) record.set_webhook_id(MakeUuidV5(request.target + '\n' + request.body));
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

std::optional<v1::ConsentRecord> Webhooks::ConsentOf(const v1::WebhookRecord& record,
                                                     const FormFields& fields) const {
  if (!record.has_recipient()) return std::nullopt;
  v1::ConsentRecord consent;
  const bool inbound = record.kind() == v1::WEBHOOK_KIND_SMS_INBOUND;
  if (inbound) {
    const auto wish =
        twilio::WishOf(twilio::FieldOf(fields, "Body"), twilio::FieldOf(fields, "OptOutType"));
    if (wish == twilio::ConsentWish::kStop) consent.set_state(v1::CONSENT_STATE_OPTED_OUT);
    if (wish == twilio::ConsentWish::kStart) consent.set_state(v1::CONSENT_STATE_OPTED_IN);
  } else if (Describe(record.provider_code()).error_class == TwilioErrorClass::kOptOut) {
    consent.set_state(v1::CONSENT_STATE_OPTED_OUT);
  }
  if (consent.state() == v1::CONSENT_STATE_UNSPECIFIED) return std::nullopt;
  // Our own side of the conversation: the number, or the service that chose it.
  const std::string_view service = twilio::FieldOf(fields, "MessagingServiceSid");
  const std::string_view number = twilio::FieldOf(fields, inbound ? "To" : "From");
  consent.set_sender(std::string(service.empty() ? number : service));
  *consent.mutable_recipient() = record.recipient();
  consent.set_observed_time_us(record.received_time_us());
  consent.set_source(inbound ? "inbound" : "callback");
  return consent;
}

// One answer for one or two records: the last report gives it.
struct Webhooks::Visit {
  Visit(http::Responder answer, int records, const TraceContext& its_trace, std::string about)
      : responder(std::move(answer)),
        open(records),
        trace(its_trace),
        alert_id(std::move(about)),
        began(std::chrono::steady_clock::now()) {}
  http::Responder responder;
  std::atomic<int> open;
  std::atomic<bool> failed{false};
  const TraceContext trace;
  const std::string alert_id;
  const SteadyTime began;
};

void Webhooks::Publish(v1::WebhookRecord record, std::optional<v1::ConsentRecord> consent,
                       const TraceContext& trace, http::Responder responder) {
  const auto visit = std::make_shared<Visit>(std::move(responder), consent ? 2 : 1, trace,
                                             record.try_().alert_id());
  const auto report = [this, visit, kind = record.kind(),
                       signed_by = record.signed_by()](const PublishReport& said) {
    if (said.outcome != PublishOutcome::kPersisted) visit->failed = true;
    if (visit->open.fetch_sub(1) != 1) return;
    observer_.published(
        {visit->alert_id, visit->trace, !visit->failed,
         std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - visit->began)});
    if (visit->failed) return Refuse(Verdict::kUnavailable, kind, std::move(visit->responder));
    observer_.answered(Verdict::kPublished, kind, signed_by);
    if (kind ==
        v1::WEBHOOK_KIND_SMS_INBOUND)  // Twilio wants TwiML here; an empty one sends no reply
      visit->responder.Send({200, "text/xml", "<Response/>", {}});
    else
      visit->responder.Send({204, {}, {}, {}});
  };
  if (consent) {
    OutgoingRecord out{parts_.topics.Consents(),
                       ConsentKey(consent->recipient().token(), consent->sender()),
                       consent->SerializeAsString(),
                       {}};
    out.headers.emplace_back(kHeaderSchema, consent->GetDescriptor()->full_name());
    out.headers.emplace_back(kHeaderTraceparent, trace.Text());
    parts_.log.Publish(std::move(out), report);
  }
  const std::string& name =
      record.provider_sid().empty() ? record.webhook_id() : record.provider_sid();
  OutgoingRecord out{parts_.topics.Webhooks(),
                     record.has_try_() ? record.try_().alert_id() : name,
                     record.SerializeAsString(),
                     {}};
  out.headers.emplace_back(kHeaderSchema, record.GetDescriptor()->full_name());
  out.headers.emplace_back(kHeaderTraceparent, trace.Text());
  parts_.log.Publish(std::move(out), report);
}

void Webhooks::Refuse(Verdict verdict, v1::WebhookKind kind, http::Responder responder) {
  observer_.answered(verdict, kind, "");
  http::Response response{StatusOf(verdict), {}, {}, {}};
  if (verdict == Verdict::kWrongMethod) response.headers = {{"Allow", "POST"}};
  if (verdict == Verdict::kUnavailable) response.headers = {{"Retry-After", "1"}};
  responder.Send(std::move(response));
}

}  // namespace tocsin::ingress
