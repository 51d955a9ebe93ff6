#include "services/ingress/acceptance.h"

#include <optional>
#include <utility>

#include "common/base/digest.h"
#include "common/domain/ids.h"
#include "common/domain/waiting.h"

namespace tocsin::ingress {
namespace {

constexpr size_t kIdRandomBytes = 10;
constexpr size_t kNonceBytes = 16;
constexpr size_t kBodyDigestBytes = 16;
constexpr std::chrono::milliseconds kRetryAfter{1000};

google::protobuf::Timestamp ToTimestamp(WallTime time) {
  google::protobuf::Timestamp stamp;
  const std::int64_t us = ToUnixMicros(time);
  stamp.set_seconds(us / 1'000'000);
  stamp.set_nanos(static_cast<std::int32_t>(us % 1'000'000 * 1000));
  return stamp;
}

v1::EnqueueResponse ReplayOf(const Admission& admission, const RequestForm& form) {
  v1::EnqueueResponse response;
  response.set_alert_id(admission.alert_id);
  *response.mutable_accept_time() = ToTimestamp(admission.accepted);
  response.set_replayed(true);
  *response.mutable_position() = admission.position;
  response.set_segments(form.segments);
  return response;
}

Error ConflictOf(const Admission& admission) {
  return {.code = ErrorCode::kIdempotencyConflict,
          .message = "this key was used for another request; choose a new key for a new alert",
          .field = "idempotency_key",
          .subject = admission.alert_id};
}

Error UnknownOf(const std::string& alert_id) {
  return {.code = ErrorCode::kOutcomeUnknown,
          .message = "the alert may have been taken; the same call again is safe and tells",
          .subject = alert_id,
          .retry_after = kRetryAfter};
}

Error UnknownUnkeyedOf(const std::string& alert_id) {
  return {.code = ErrorCode::kOutcomeUnknownUnkeyed,
          .message =
              "the alert may have been taken; without an idempotency key a second call could "
              "be a second alert",
          .subject = alert_id,
          .retry_after = kRetryAfter};
}

}  // namespace

// One alert on its way in.
struct Acceptance::Call {
  std::string client_id;
  CheckedRequest request;
  google::protobuf::Map<std::string, std::string> labels;
  v1::DoubtPolicy doubt_policy;
  std::string traceparent;
  std::string idempotency_digest;  // empty without a key
  std::string request_digest;
  std::string nonce;
  std::string alert_id;
  WallTime accepted;
  bool admitted = false;  // the store knows it
  Answer answer;
};

Acceptance::Acceptance(Parts parts, AcceptanceSettings settings)
    : parts_(parts), settings_(settings) {}

void Acceptance::Enqueue(const std::string& client_id, const v1::EnqueueRequest& request,
                         const std::string& traceparent, Answer answer) {
  if (in_flight_.fetch_add(1) >= settings_.max_in_flight) {
    in_flight_.fetch_sub(1);
    answer(Fail(Error{.code = ErrorCode::kOverloaded,
                      .message = "too many alerts are being accepted; try again shortly",
                      .retry_after = kRetryAfter}));
    return;
  }
  const WallTime now = parts_.clock.Now();
  auto checked = Check(request, *parts_.registry.Now(), now);
  if (!checked)
    return RefuseUnlessKnown(client_id, request, checked.error(), now, std::move(answer));
  const std::string& key = request.idempotency_key();
  const auto call = std::make_shared<Call>(
      Call{.client_id = client_id,
           .request = *std::move(checked),
           .labels = request.labels(),
           .doubt_policy = request.doubt_policy(),
           .traceparent = traceparent,
           .idempotency_digest = key.empty() ? std::string() : IdempotencyDigest(client_id, key),
           .request_digest = {},
           .nonce = RandomBytes(kNonceBytes),
           .alert_id = key.empty() ? NewAlertId(now, RandomBytes(kIdRandomBytes))
                                   : KeyedAlertId(now, client_id, key),
           .accepted = now,
           .answer = std::move(answer)});
  call->request_digest = parts_.vault.DigestRequest(call->request.form.canonical.Reveal());
  parts_.admissions.Admit(
      {.alert_id = call->alert_id,
       .client_id = client_id,
       .idempotency_digest = call->idempotency_digest,
       .request_digest = call->request_digest,
       .nonce = call->nonce,
       .accepted = now,
       .not_after = call->request.not_after},
      [this, call](Result<Admission> admission) { Admitted(call, std::move(admission)); });
}

void Acceptance::Admitted(const std::shared_ptr<Call>& call, Result<Admission> admission) {
  if (!admission) {
    // An emergency goes on without the store, be it down or drowned: its record is the acceptance.
    const bool storeless = admission.error().code == ErrorCode::kRedisUnavailable ||
                           admission.error().code == ErrorCode::kOverloaded;
    if (storeless && call->request.form.alert_class == v1::ALERT_CLASS_EMERGENCY)
      return Publish(call);
    return Finish(*call, Fail(admission.error()));
  }
  call->admitted = true;
  switch (admission->state) {
    case Admission::State::kNew: return Publish(call);
    case Admission::State::kAgain:
      call->alert_id = admission->alert_id;
      call->accepted = admission->accepted;
      return Publish(call);
    case Admission::State::kReplay: return Finish(*call, ReplayOf(*admission, call->request.form));
    case Admission::State::kConflict: return Finish(*call, Fail(ConflictOf(*admission)));
    case Admission::State::kUnknown:
      return Finish(*call, Fail(ErrorCode::kInternal, "the door did not admit a new alert"));
  }
}

// A key that is known gets its first answer, also when time has passed or the registry has changed
// so that the call would be refused by now.
void Acceptance::RefuseUnlessKnown(const std::string& client_id, const v1::EnqueueRequest& request,
                                   const Error& why, WallTime now, Answer answer) {
  const std::string& key = request.idempotency_key();
  const auto finish = [this, answer = std::move(answer)](Result<v1::EnqueueResponse> result) {
    answer(std::move(result));
    in_flight_.fetch_sub(1);
  };
  const auto form = FormOf(request);
  if (key.empty() || !form) return finish(Fail(why));
  parts_.admissions.Admit({.alert_id = KeyedAlertId(now, client_id, key),
                           .client_id = client_id,
                           .idempotency_digest = IdempotencyDigest(client_id, key),
                           .request_digest = parts_.vault.DigestRequest(form->canonical.Reveal()),
                           .nonce = {},
                           .accepted = now,
                           .not_after = now,
                           .only_if_known = true},
                          [why, finish, form = *form](Result<Admission> admission) {
                            if (!admission) return finish(Fail(why));
                            switch (admission->state) {
                              case Admission::State::kReplay:
                                return finish(ReplayOf(*admission, form));
                              case Admission::State::kConflict:
                                return finish(Fail(ConflictOf(*admission)));
                              case Admission::State::kAgain:
                                return finish(Fail(UnknownOf(admission->alert_id)));
                              default: return finish(Fail(why));
                            }
                          });
}

void Acceptance::Publish(const std::shared_ptr<Call>& call) {
  const auto work = FirstWork(*call);
  if (!work) {
    if (call->admitted)
      parts_.admissions.Withdraw(call->alert_id, call->idempotency_digest, call->nonce);
    return Finish(*call, Fail(work.error()));
  }
  OutgoingRecord record{parts_.topics.Lane(work->channel(), work->class_()),
                        call->alert_id,
                        work->SerializeAsString(),
                        {}};
  record.headers.emplace_back(kHeaderSchema, work->GetDescriptor()->full_name());
  record.headers.emplace_back(kHeaderTraceparent, call->traceparent);
  record.headers.emplace_back(kHeaderAccepts, call->client_id);
  parts_.log.Publish(std::move(record),
                     [this, call](const PublishReport& report) { Published(call, report); });
}

void Acceptance::Published(const std::shared_ptr<Call>& shared, const PublishReport& report) {
  Call& call = *shared;
  const bool keyed = !call.idempotency_digest.empty();
  switch (report.outcome) {
    case PublishOutcome::kPersisted: {
      v1::EnqueueResponse response;
      response.set_alert_id(call.alert_id);
      *response.mutable_accept_time() = ToTimestamp(call.accepted);
      *response.mutable_position() = report.position;
      response.set_segments(call.request.form.segments);
      // With a key the store knows it before the caller does: a repetition of what was answered is
      // a replay, also when this process is killed right after its answer.
      if (call.admitted && keyed)
        return parts_.admissions.Confirm(call.alert_id, report.position,
                                         [this, shared, response] { Finish(*shared, response); });
      if (call.admitted) parts_.admissions.Confirm(call.alert_id, report.position, [] {});
      return Finish(call, std::move(response));
    }
    case PublishOutcome::kNotPersisted:
      if (call.admitted)
        parts_.admissions.Withdraw(call.alert_id, call.idempotency_digest, call.nonce);
      return Finish(call, Fail(Error{.code = ErrorCode::kKafkaUnavailable,
                                     .message = "the alert was not taken: " + report.why,
                                     .retry_after = kRetryAfter}));
    case PublishOutcome::kUnknown:
      return Finish(call, Fail(keyed ? UnknownOf(call.alert_id) : UnknownUnkeyedOf(call.alert_id)));
  }
}

void Acceptance::Finish(Call& call, Result<v1::EnqueueResponse> result) {
  call.answer(std::move(result));
  in_flight_.fetch_sub(1);  // after the answer: at zero nobody owes one
}

Result<v1::WorkRecord> Acceptance::FirstWork(const Call& call) {
  const CheckedRequest& request = call.request;
  const RequestForm& form = request.form;
  v1::Content content;
  content.set_to(form.to.E164());
  content.set_text(request.text.Reveal());
  TOCSIN_TRY(SealedValue sealed, parts_.vault.Seal({call.client_id, call.alert_id, kContentField},
                                                   content.SerializeAsString()));
  v1::WorkRecord work;
  work.mutable_try_()->set_alert_id(call.alert_id);
  work.mutable_try_()->set_step(1);
  work.mutable_try_()->set_try_(1);
  work.set_kind(v1::WORK_KIND_TRY);
  work.set_client_id(call.client_id);
  work.set_class_(form.alert_class);
  work.set_channel(form.channel);
  work.set_accepted_time_us(ToUnixMicros(call.accepted));
  if (request.send_at && *request.send_at > call.accepted)
    work.set_send_at_us(ToUnixMicros(*request.send_at));
  work.set_not_after_us(ToUnixMicros(request.not_after));
  work.set_first_published_us(ToUnixMicros(call.accepted));
  *work.mutable_recipient() = parts_.vault.Refer(form.to);
  *work.mutable_content() = std::move(sealed.sealed);
  *work.mutable_key() = std::move(sealed.key);
  work.set_body_digest(parts_.vault.DigestBody(request.text.Reveal()).substr(0, kBodyDigestBytes));
  work.set_segments(form.segments);
  if (form.channel == v1::CHANNEL_VOICE) {
    *work.mutable_spoken() = form.spoken;
    work.mutable_budget()->set_calls(1);
  }
  work.set_sender(request.sender);
  work.mutable_budget()->set_used(1);
  work.mutable_budget()->set_limit(settings_.attempts);
  work.set_doubt_policy(call.doubt_policy);
  *work.mutable_labels() = call.labels;
  v1::Acceptance& acceptance = *work.mutable_acceptance();
  acceptance.set_request_digest(call.request_digest);
  acceptance.set_idempotency_digest(call.idempotency_digest);
  acceptance.set_nonce(call.nonce);
  return work;
}

}  // namespace tocsin::ingress
