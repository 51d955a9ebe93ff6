#include "services/ingress/webhooks/record.h"

#include <string>
#include <utility>

#include "common/base/uuid.h"
#include "common/domain/alert/ids.h"
#include "common/domain/message/call_keys.h"
#include "common/domain/message/consent_wish.h"
#include "common/domain/message/phone.h"
#include "common/twilio/webhooks/attempt_token.h"
#include "common/twilio/webhooks/opt_out.h"
#include "common/twilio/webhooks/webhook.h"
#include "services/ingress/webhooks/call_script.h"

namespace tocsin::ingress {
namespace {

constexpr std::string_view kRawBodyField = "raw_body";

// Leaves the record without an attempt if the token is not ours.
void AddAttempt(std::string_view token, Vault& vault, const Topics& topics,
                records::v1::WebhookRecord& record) {
  if (token.empty()) return;
  const auto content = twilio::ParseAttemptToken(vault, token);
  if (!content) return;
  *record.mutable_attempt() = content->attempt;
  record.mutable_work()->set_topic(topics.Lane(content->channel, content->priority));
  record.mutable_work()->set_partition(content->partition);
  record.mutable_work()->set_offset(content->offset);
  record.set_token_time_us(ToUnixMicros(content->time));
}

records::v1::ConsentState ConsentStateOf(const records::v1::WebhookRecord& record,
                                         const FormFields& fields) {
  switch (record.kind()) {
    case records::v1::WEBHOOK_KIND_SMS_INBOUND:
      return tocsin::ConsentStateOf(twilio::KeywordOf(twilio::FieldOf(fields, "Body"),
                                                      twilio::FieldOf(fields, "OptOutType")));
    case records::v1::WEBHOOK_KIND_VOICE_GATHER:
      return tocsin::ConsentStateOf(CallKeyOf(record.provider_status()));
    default: return tocsin::ConsentStateOf(record.error_class());
  }
}

}  // namespace

Result<records::v1::WebhookRecord> MakeWebhookRecord(const Route& route,
                                                     const http::Request& request,
                                                     const VerifiedRequest& verified, Vault& vault,
                                                     const Topics& topics, WallTime now) {
  auto read = twilio::ParseWebhook(route.kind, verified.fields, RoundOf(request.target));
  records::v1::WebhookRecord record;
  if (read) {
    record = *std::move(read);
  } else {
    record.set_webhook_id(MakeUuidV5(request.target + '\n' + request.body));
    // An opt-out counts even if the other fields of its message are invalid.
    if (route.kind == records::v1::WEBHOOK_KIND_SMS_INBOUND) record.set_kind(route.kind);
  }
  record.set_account_sid(verified.account->sid);
  record.set_signed_by(verified.signed_by);
  record.set_receive_time_us(ToUnixMicros(now));
  AddAttempt(route.token, vault, topics, record);
  if (const auto phone = Phone::Parse(twilio::OtherParty(route.kind, verified.fields)))
    *record.mutable_recipient() = vault.MakeRecipientRef(*phone);
  if (const auto token = request.Find("i-twilio-idempotency-token"))
    record.set_provider_idempotency_digest(vault.DigestRequest(*token));
  TOCSIN_TRY(SealedValue sealed,
             vault.Seal({record.account_sid(), record.webhook_id(), kRawBodyField}, request.body));
  *record.mutable_raw_body() = std::move(sealed.sealed);
  *record.mutable_key() = std::move(sealed.key);
  return record;
}

std::vector<records::v1::ConsentRecord> ConsentsOf(const records::v1::WebhookRecord& record,
                                                   const FormFields& fields) {
  records::v1::ConsentRecord consent;
  consent.set_state(ConsentStateOf(record, fields));
  if (!record.has_recipient() || consent.state() == records::v1::CONSENT_STATE_UNSPECIFIED)
    return {};
  *consent.mutable_recipient() = record.recipient();
  consent.set_observe_time_us(record.receive_time_us());
  consent.set_source(ConsentSourceOf(record.kind()));
  const bool inbound = record.kind() == records::v1::WEBHOOK_KIND_SMS_INBOUND;
  const std::string_view service = twilio::FieldOf(fields, "MessagingServiceSid");
  consent.set_sender_address(std::string(twilio::FieldOf(fields, inbound ? "To" : "From")));
  std::vector<records::v1::ConsentRecord> consents;
  if (service.empty() || !consent.sender_address().empty()) consents.push_back(consent);
  if (service.empty()) return consents;
  consent.set_sender_address(std::string(service));
  consents.push_back(std::move(consent));
  return consents;
}

std::optional<twilio::AckReply> AckReplyOf(const records::v1::WebhookRecord& record,
                                           const FormFields& fields) {
  if (record.kind() != records::v1::WEBHOOK_KIND_SMS_INBOUND || !record.has_recipient() ||
      record.provider_sid().empty() || record.opt_out_type() == "STOP")
    return std::nullopt;
  return twilio::AckReplyOf(twilio::FieldOf(fields, "Body"));
}

records::v1::Event AcknowledgedByKeypress(const records::v1::WebhookRecord& press,
                                          const std::string& person) {
  records::v1::Event event;
  event.set_event_id(
      EventId(press.attempt(), "acknowledged/keypress/" + std::to_string(press.receive_time_us())));
  *event.mutable_attempt() = press.attempt();
  event.set_channel(v1::CHANNEL_VOICE);
  event.set_time_us(press.receive_time_us());
  *event.mutable_recipient() = press.recipient();
  event.mutable_acknowledged()->set_method(v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS);
  event.mutable_acknowledged()->set_step(press.attempt().step());
  event.mutable_acknowledged()->set_evidence(press.provider_sid());
  event.mutable_acknowledged()->set_person(person);
  return event;
}

}  // namespace tocsin::ingress
