#include "services/ingress/acceptance/acceptance.h"

#include <utility>

#include "common/base/digest.h"
#include "common/domain/alert/ids.h"
#include "common/domain/alert/issued_id.h"
#include "common/ports/consistency_token.h"

namespace tocsin::ingress {
namespace {

constexpr size_t kIdRandomBytes = 10;
constexpr size_t kNonceBytes = 16;
constexpr std::chrono::milliseconds kRetryDelay{1000};

google::protobuf::Timestamp ToTimestamp(WallTime time) {
  google::protobuf::Timestamp stamp;
  const std::int64_t us = ToUnixMicros(time);
  stamp.set_seconds(us / 1'000'000);
  stamp.set_nanos(static_cast<std::int32_t>(us % 1'000'000 * 1000));
  return stamp;
}

v1::EnqueueResponse MakeResponse(const std::string& alert_id, WallTime create_time,
                                 const records::v1::Position& position,
                                 std::int32_t segment_count) {
  v1::EnqueueResponse response;
  response.set_alert_id(alert_id);
  *response.mutable_create_time() = ToTimestamp(create_time);
  response.set_consistency_token(MakeConsistencyToken(position));
  response.set_segment_count(segment_count);
  return response;
}

v1::EnqueueResponse ReplayOf(const Admission& admission, const NormalizedRequest& request) {
  v1::EnqueueResponse response = MakeResponse(admission.alert_id, admission.create_time,
                                              admission.position, request.first().segment_count);
  response.set_replayed(true);
  return response;
}

Error OutcomeUnknown(const std::string& alert_id, bool has_key) {
  if (has_key)
    return {.code = ErrorCode::kOutcomeUnknown,
            .message = "the alert may have been accepted; retry with the same key",
            .subject = alert_id,
            .retry_after = kRetryDelay};
  return {.code = ErrorCode::kOutcomeUnknownNoKey,
          .message =
              "the alert may have been accepted; without an idempotency key a retry could "
              "be a second alert",
          .subject = alert_id,
          .retry_after = kRetryDelay};
}

Error TooManyInFlight() {
  return {.code = ErrorCode::kOverloaded,
          .message = "too many alerts in flight for this priority; retry",
          .retry_after = kRetryDelay};
}

}  // namespace

// An alert between request and response.
struct Acceptance::Pending {
  NewAlert alert;
  std::string traceparent;
  Done done;
  bool admitted = false;     // the store has it
  bool republished = false;  // an earlier request may have published it

  bool has_key() const { return !alert.idempotency_digest.empty(); }
};

Acceptance::Acceptance(Parts parts, AcceptanceSettings settings)
    : parts_(std::move(parts)),
      settings_(std::move(settings)),
      in_flight_(settings_.max_in_flight),
      bytes_in_flight_(settings_.max_bytes_in_flight) {}

void Acceptance::Enqueue(const std::string& client_id, const v1::EnqueueRequest& request,
                         const std::string& traceparent, Done done) {
  if (!in_flight_.TryAcquire(request.priority())) return done(Fail(TooManyInFlight()));
  // Released after the response: at 0 no response is outstanding.
  done = [this, done = std::move(done)](Result<v1::EnqueueResponse> result) {
    done(std::move(result));
    in_flight_.Release();
  };
  const WallTime now = parts_.clock.Now();
  auto checked = CheckRequest(request, *parts_.registry.Now(), now, settings_.rules);
  if (!checked) return RespondIfKnown(client_id, request, checked.error(), now, std::move(done));
  const auto pending =
      std::make_shared<Pending>(Pending{.alert = {.alert_id = {},
                                                  .client_id = client_id,
                                                  .request = *std::move(checked),
                                                  .labels = request.labels(),
                                                  .in_doubt_policy = request.in_doubt_policy(),
                                                  .create_time = now,
                                                  .max_attempts = settings_.max_attempts},
                                        .traceparent = traceparent,
                                        .done = std::move(done)});
  if (request.idempotency_key().empty()) {
    pending->alert.alert_id = IssueId(pending->alert);
    return Publish(pending);
  }
  SetKey(request, pending->alert);
  const NewAlert& alert = pending->alert;
  if (keys_.Start(alert.idempotency_digest, alert.request_digest, pending->done)) Admit(pending);
}

// The id proves to whom it was issued: the store need not know the alert.
std::string Acceptance::IssueId(const NewAlert& alert) const {
  return IssueAlertId({.create_time = alert.create_time,
                       .expire_time = alert.request.expire_time,
                       .emergency = alert.request.normalized.priority == v1::PRIORITY_EMERGENCY,
                       .client_id = alert.client_id},
                      RandomBytes(kIdRandomBytes),
                      [this](std::string_view text) { return parts_.vault.DigestRequest(text); });
}

void Acceptance::SetKey(const v1::EnqueueRequest& request, NewAlert& alert) const {
  const std::string& key = request.idempotency_key();
  alert.request_digest =
      parts_.vault.DigestRequest(CanonicalForm(request, alert.request.normalized).Reveal());
  alert.idempotency_digest = IdempotencyDigest(alert.client_id, key);
  alert.nonce = RandomBytes(kNonceBytes);
  alert.alert_id = KeyedAlertId(alert.create_time, alert.client_id, key, alert.request_digest);
}

void Acceptance::Admit(const std::shared_ptr<Pending>& pending) {
  const NewAlert& alert = pending->alert;
  parts_.admissions.Admit(
      {.alert_id = alert.alert_id,
       .client_id = alert.client_id,
       .idempotency_digest = alert.idempotency_digest,
       .request_digest = alert.request_digest,
       .nonce = alert.nonce,
       .create_time = alert.create_time,
       .expire_time = alert.request.expire_time,
       .emergency = alert.request.normalized.priority == v1::PRIORITY_EMERGENCY},
      [this, pending](Result<Admission> admission) { OnAdmitted(pending, std::move(admission)); });
}

void Acceptance::OnAdmitted(const std::shared_ptr<Pending>& pending, Result<Admission> admission) {
  NewAlert& alert = pending->alert;
  const NormalizedRequest& request = alert.request.normalized;
  if (!admission) {
    // The record of an emergency is its acceptance, if the store is unreachable or overloaded.
    const bool without_store = admission.error().code == ErrorCode::kRedisUnavailable ||
                               admission.error().code == ErrorCode::kOverloaded;
    if (without_store && request.priority == v1::PRIORITY_EMERGENCY) return Publish(pending);
    return Finish(*pending, Fail(admission.error()));
  }
  switch (admission->state) {
    case Admission::State::kNew: pending->admitted = true; return Publish(pending);
    case Admission::State::kRepublish:
      pending->admitted = pending->republished = true;
      alert.alert_id = admission->alert_id;
      alert.create_time = admission->create_time;
      return Publish(pending);
    case Admission::State::kReplay: return Finish(*pending, ReplayOf(*admission, request));
    case Admission::State::kConflict:
      return Finish(*pending, Fail(IdempotencyConflict(admission->alert_id)));
    case Admission::State::kUnknownKey:
      return Finish(*pending, Fail(ErrorCode::kInternal, "the store did not admit a new alert"));
  }
}

// A known key gets the first response again, even if the request would be refused by now because
// time has passed or the registry has changed. Without the store that is not known: the client
// retries.
void Acceptance::RespondIfKnown(const std::string& client_id, const v1::EnqueueRequest& request,
                                const Error& refusal, WallTime now, Done done) {
  const std::string& key = request.idempotency_key();
  const auto normalized = Normalize(request, settings_.rules);
  if (key.empty() || !normalized) return done(Fail(refusal));
  const std::string request_digest =
      parts_.vault.DigestRequest(CanonicalForm(request, *normalized).Reveal());
  parts_.admissions.Admit(
      {.alert_id = KeyedAlertId(now, client_id, key, request_digest),
       .client_id = client_id,
       .idempotency_digest = IdempotencyDigest(client_id, key),
       .request_digest = request_digest,
       .nonce = {},
       .create_time = now,
       .expire_time = now,
       .only_if_known = true},
      [refusal, done = std::move(done), normalized = *normalized](Result<Admission> admission) {
        if (!admission) return done(Fail(admission.error()));
        switch (admission->state) {
          case Admission::State::kReplay: return done(ReplayOf(*admission, normalized));
          case Admission::State::kConflict:
            return done(Fail(IdempotencyConflict(admission->alert_id)));
          case Admission::State::kRepublish:
            return done(Fail(OutcomeUnknown(admission->alert_id, true)));
          default: return done(Fail(refusal));
        }
      });
}

void Acceptance::Publish(const std::shared_ptr<Pending>& pending) {
  const NewAlert& alert = pending->alert;
  const auto work = FirstWork(alert, parts_.vault, settings_.rules.public_base_url);
  if (!work) return Refuse(*pending, work.error());
  OutgoingRecord record = MakeAcceptanceRecord(
      parts_.topics.Lane(work->channel(), work->priority()), *work, pending->traceparent);
  const size_t bytes = record.value.size();
  if (!bytes_in_flight_.TryAcquire(work->priority(), bytes))
    return Refuse(*pending, TooManyInFlight());
  parts_.log.Publish(std::move(record), [this, pending, bytes](const PublishReport& report) {
    bytes_in_flight_.Release(bytes);
    OnPublished(pending, report);
  });
}

void Acceptance::OnPublished(const std::shared_ptr<Pending>& pending, const PublishReport& report) {
  const NewAlert& alert = pending->alert;
  if (pending->has_key() && !pending->admitted && report.outcome != PublishOutcome::kNotPersisted)
    parts_.on_not_stored(alert.create_time);
  switch (report.outcome) {
    case PublishOutcome::kPersisted: {
      v1::EnqueueResponse response =
          MakeResponse(alert.alert_id, alert.create_time, report.position,
                       alert.request.normalized.first().segment_count);
      response.set_replayed(pending->republished);
      // The client gets the response after the store has saved it: a repetition is then a replay
      // even if this process is killed.
      if (pending->admitted)
        return Confirm(alert, report.position,
                       [this, pending, response] { Finish(*pending, response); });
      return Finish(*pending, std::move(response));
    }
    case PublishOutcome::kNotPersisted:
      return Refuse(*pending, {.code = ErrorCode::kKafkaUnavailable,
                               .message = "the alert was not accepted: " + report.error,
                               .retry_after = kRetryDelay});
    case PublishOutcome::kUnknown:
      return Finish(*pending, Fail(OutcomeUnknown(alert.alert_id, pending->has_key())));
  }
}

void Acceptance::Confirm(const NewAlert& alert, const records::v1::Position& position,
                         std::function<void()> done) {
  if (alert.request.normalized.priority == v1::PRIORITY_EMERGENCY)
    return parts_.admissions.ConfirmEmergency(alert.alert_id, position, std::move(done));
  parts_.admissions.Confirm(alert.alert_id, position, std::move(done));
}

// This request has published nothing. An earlier one with the key may have: the store said so, or
// did not respond.
void Acceptance::Refuse(Pending& pending, const Error& error) {
  const NewAlert& alert = pending.alert;
  if (pending.admitted)
    parts_.admissions.Withdraw(alert.alert_id, alert.idempotency_digest, alert.nonce);
  const bool unknown = pending.republished || (pending.has_key() && !pending.admitted);
  Finish(pending, Fail(unknown ? OutcomeUnknown(alert.alert_id, true) : error));
}

void Acceptance::Finish(Pending& pending, const Result<v1::EnqueueResponse>& result) {
  if (pending.has_key())
    keys_.Finish(pending.alert.idempotency_digest, pending.alert.request_digest, result);
  pending.done(result);
}

}  // namespace tocsin::ingress
