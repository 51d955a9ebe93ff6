#include "services/ingress/acceptance/first_work.h"

#include "common/ports/sealed_content.h"
#include "services/ingress/ack_links/ack_text.h"

namespace tocsin::ingress {
namespace {

constexpr size_t kBodyDigestBytes = 16;

}  // namespace

Result<records::v1::WorkRecord> FirstWork(const NewAlert& alert, Vault& vault,
                                          std::string_view public_base_url) {
  const CheckedRequest& request = alert.request;
  const NormalizedRequest& normalized = request.normalized;
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_alert_id(alert.alert_id);
  work.mutable_attempt()->set_step(1);
  work.mutable_attempt()->set_attempt(1);
  work.set_kind(records::v1::WORK_KIND_ATTEMPT);
  work.set_client_id(alert.client_id);
  work.set_priority(normalized.priority);
  work.set_channel(normalized.channel);
  work.set_create_time_us(ToUnixMicros(alert.create_time));
  if (request.send_time && *request.send_time > alert.create_time)
    work.set_send_time_us(ToUnixMicros(*request.send_time));
  work.set_expire_time_us(ToUnixMicros(request.expire_time));
  work.set_first_publish_time_us(ToUnixMicros(alert.create_time));
  *work.mutable_recipient() = vault.MakeRecipientRef(normalized.to);
  records::v1::Content content;
  content.set_to(normalized.to.E164());
  TOCSIN_TRY(*content.mutable_text(), TextWithAck(request.text.Reveal(), public_base_url, vault,
                                                  {.alert_id = alert.alert_id,
                                                   .step = work.attempt().step(),
                                                   .expire_time = request.expire_time}));
  work.set_ack_code(AckCodeOf(request.text.Reveal(), alert.alert_id));
  TOCSIN_CHECK_OK(SealContent(vault, content, work));
  work.set_body_digest(vault.DigestBody(content.text()).substr(0, kBodyDigestBytes));
  work.set_segment_count(normalized.segment_count);
  if (normalized.channel == v1::CHANNEL_VOICE) {
    *work.mutable_voice() = normalized.voice;
    work.mutable_retry_budget()->set_calls_placed(1);
  }
  work.set_sender_id(request.sender_id);
  work.mutable_retry_budget()->set_attempts_used(1);
  work.mutable_retry_budget()->set_attempts_max(alert.max_attempts);
  work.set_in_doubt_policy(alert.in_doubt_policy);
  *work.mutable_labels() = alert.labels;
  records::v1::Acceptance& acceptance = *work.mutable_acceptance();  // present without a key, too
  if (!alert.idempotency_digest.empty()) {
    acceptance.set_request_digest(alert.request_digest);
    acceptance.set_idempotency_digest(alert.idempotency_digest);
    acceptance.set_nonce(alert.nonce);
  }
  return work;
}

}  // namespace tocsin::ingress
