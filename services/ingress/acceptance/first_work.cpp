#include "services/ingress/acceptance/first_work.h"

#include "common/ports/sealed_content.h"
#include "services/ingress/ack_links/ack_text.h"

namespace tocsin::ingress {
namespace {

constexpr size_t kBodyDigestBytes = 16;

// What an alert's targets have in common.
records::v1::WorkRecord CommonPart(const NewAlert& alert) {
  const CheckedRequest& request = alert.request;
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_alert_id(alert.alert_id);
  work.mutable_attempt()->set_attempt(1);
  work.set_kind(records::v1::WORK_KIND_ATTEMPT);
  work.set_client_id(alert.client_id);
  work.set_priority(request.normalized.priority);
  work.set_create_time_us(ToUnixMicros(alert.create_time));
  if (request.send_time && *request.send_time > alert.create_time)
    work.set_send_time_us(ToUnixMicros(*request.send_time));
  work.set_expire_time_us(ToUnixMicros(request.expire_time));
  work.set_first_publish_time_us(ToUnixMicros(alert.create_time));
  work.mutable_retry_budget()->set_attempts_used(1);
  work.mutable_retry_budget()->set_attempts_max(alert.max_attempts);
  work.set_in_doubt_policy(alert.in_doubt_policy);
  *work.mutable_labels() = alert.labels;
  return work;
}

// Recipient, content, sender and options of the target with this number, from 1.
Status SetTarget(const NewAlert& alert, std::int32_t number, Vault& vault,
                 std::string_view public_base_url, records::v1::WorkRecord& work) {
  const NormalizedTarget& target = alert.request.normalized.targets[number - 1];
  work.mutable_attempt()->set_step(number);
  work.set_channel(target.channel);
  *work.mutable_recipient() = vault.MakeRecipientRef(target.to);
  records::v1::Content content;
  content.set_to(target.to.E164());
  TOCSIN_TRY(*content.mutable_text(), TextWithAck(target.text.Reveal(), public_base_url, vault,
                                                  {.alert_id = alert.alert_id,
                                                   .step = number,
                                                   .expire_time = alert.request.expire_time}));
  work.set_ack_code(AckCodeOf(target.text.Reveal(), alert.alert_id));
  TOCSIN_CHECK_OK(SealContent(vault, content, work));
  work.set_body_digest(vault.DigestBody(content.text()).substr(0, kBodyDigestBytes));
  work.set_segment_count(target.segment_count);
  if (target.channel == v1::CHANNEL_VOICE) {
    *work.mutable_voice() = target.voice;
    work.mutable_retry_budget()->set_calls_placed(1);
  }
  work.set_sender_id(alert.request.sender_ids[number - 1]);
  return {};
}

// What a later target's work record needs.
void MoveTarget(records::v1::WorkRecord&& work, records::v1::PlannedTarget& target) {
  *target.mutable_recipient() = std::move(*work.mutable_recipient());
  *target.mutable_content() = std::move(*work.mutable_content());
  *target.mutable_key() = std::move(*work.mutable_key());
  target.set_body_digest(work.body_digest());
  target.set_segment_count(work.segment_count());
  target.set_sender_id(work.sender_id());
  if (work.has_voice()) *target.mutable_voice() = std::move(*work.mutable_voice());
  target.set_ack_code(work.ack_code());
}

Status SetPlan(const NewAlert& alert, Vault& vault, std::string_view public_base_url,
               records::v1::WorkRecord& work) {
  const NormalizedRequest& request = alert.request.normalized;
  records::v1::Goal& goal = *work.mutable_plan()->mutable_goal();
  goal.set_reach(request.goal->reach);
  goal.set_person_count(request.goal->person_count);
  if (alert.request.deadline) goal.set_deadline_us(ToUnixMicros(*alert.request.deadline));
  for (std::int32_t number = 1; number <= std::ssize(request.targets); ++number) {
    const NormalizedTarget& target = request.targets[number - 1];
    records::v1::PlannedTarget& planned = *work.mutable_plan()->add_targets();
    planned.set_plan_step(target.plan_step);
    planned.set_wait_us(target.wait.count());
    planned.set_person(target.person);
    planned.set_channel(target.channel);
    if (number == 1) continue;  // it is the work record's own
    records::v1::WorkRecord later = CommonPart(alert);
    TOCSIN_CHECK_OK(SetTarget(alert, number, vault, public_base_url, later));
    MoveTarget(std::move(later), planned);
  }
  return {};
}

}  // namespace

Result<records::v1::WorkRecord> FirstWork(const NewAlert& alert, Vault& vault,
                                          std::string_view public_base_url) {
  records::v1::WorkRecord work = CommonPart(alert);
  TOCSIN_CHECK_OK(SetTarget(alert, 1, vault, public_base_url, work));
  if (alert.request.normalized.goal) TOCSIN_CHECK_OK(SetPlan(alert, vault, public_base_url, work));
  records::v1::Acceptance& acceptance = *work.mutable_acceptance();  // present without a key, too
  if (!alert.idempotency_digest.empty()) {
    acceptance.set_request_digest(alert.request_digest);
    acceptance.set_idempotency_digest(alert.idempotency_digest);
    acceptance.set_nonce(alert.nonce);
  }
  return work;
}

}  // namespace tocsin::ingress
