#include "services/ingress/actions/alert_actions.h"

#include <utility>

#include "common/domain/alert/ids.h"
#include "common/domain/alert/issued_id.h"
#include "common/domain/alert/request_rules.h"
#include "common/domain/delivery/cancel_outcome.h"
#include "services/ingress/acceptance/metadata.h"

namespace tocsin::ingress {
namespace {

constexpr std::chrono::milliseconds kRetryDelay{1000};

// Equal arguments give equal events, so that a repetition of a request publishes the same event.
records::v1::Event EventOf(const std::string& client_id, const std::string& alert_id, WallTime time,
                           const std::string& seed) {
  records::v1::Event event;
  event.mutable_attempt()->set_alert_id(alert_id);
  event.set_event_id(EventId(event.attempt(), seed));
  event.set_client_id(client_id);
  event.set_time_us(ToUnixMicros(time));
  return event;
}

v1::CancelOutcome OutcomeOf(const MarkResult& marked) {
  return CancelOutcomeOf({.post_in_progress = marked.post_in_progress,
                          .acknowledged = marked.acknowledged_before,
                          .delivered = marked.delivered,
                          .results = marked.results});
}

}  // namespace

void AlertActions::Cancel(const std::string& client_id, const v1::CancelRequest& request,
                          const std::string& traceparent,
                          std::function<void(Result<v1::CancelResponse>)> done) {
  if (const Status valid = CheckAlertId(request.alert_id()); !valid)
    return done(Fail(valid.error()));
  const WallTime now = parts_.clock.Now();
  parts_.admissions.Mark(
      {.alert_id = request.alert_id(),
       .client_id = client_id,
       .mark = MarkRequest::Mark::kCancelled,
       .time = now,
       .issued_until = IssuedUntil(client_id, request.alert_id(), now)},
      [this, client_id, alert_id = request.alert_id(), traceparent, now,
       done = std::move(done)](Result<MarkResult> marked) {
        if (!marked) return done(Fail(marked.error()));
        v1::CancelResponse response;
        response.set_outcome(OutcomeOf(*marked));
        // A cancellation that came too late for anything has the time of its request: an earlier
        // one that did have an effect may have set the mark.
        const bool ended = response.outcome() == v1::CANCEL_OUTCOME_ALREADY_ENDED;
        records::v1::Event event = EventOf(client_id, alert_id, ended ? now : marked->time,
                                           "cancel/" + std::to_string(response.outcome()));
        event.mutable_cancel_requested()->set_outcome(response.outcome());
        Publish(event, traceparent, [response, done](Status published) {
          if (!published) return done(Fail(published.error()));
          done(response);
        });
      });
}

void AlertActions::Acknowledge(const std::string& client_id, const v1::AcknowledgeRequest& request,
                               const std::string& traceparent,
                               std::function<void(Result<v1::AcknowledgeResponse>)> done) {
  if (const Status valid = CheckAlertId(request.alert_id()); !valid)
    return done(Fail(valid.error()));
  if (const Status valid = CheckActor(request.actor_id()); !valid) return done(Fail(valid.error()));
  MarkAcknowledged({.alert_id = request.alert_id(),
                    .client_id = client_id,
                    .mark = MarkRequest::Mark::kAcknowledged,
                    .time = parts_.clock.Now(),
                    .method = records::v1::ACKNOWLEDGEMENT_METHOD_API,
                    .actor_id = request.actor_id()},
                   traceparent, std::move(done));
}

void AlertActions::AcknowledgeByKeypress(
    const std::string& client_id, const std::string& alert_id, const std::string& traceparent,
    std::function<void(Result<v1::AcknowledgeResponse>)> done) {
  MarkAcknowledged({.alert_id = alert_id,
                    .client_id = client_id,
                    .mark = MarkRequest::Mark::kAcknowledged,
                    .time = parts_.clock.Now(),
                    .method = records::v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS},
                   traceparent, std::move(done));
}

// Nothing for an alert that is over: the store may have deleted its state.
std::optional<WallTime> AlertActions::IssuedUntil(const std::string& client_id,
                                                  const std::string& alert_id, WallTime now) const {
  const auto until = tocsin::IssuedUntil(alert_id, client_id, [this](std::string_view text) {
    return parts_.vault.DigestRequest(text);
  });
  return until && *until >= now ? until : std::nullopt;
}

Status AlertActions::CheckActor(const std::string& actor_id) const {
  TOCSIN_CHECK_OK(CheckActorId(actor_id));
  if (rules_.allow_pii_like_metadata) return {};
  return CheckNoPii(actor_id, "actor_id", parts_.registry.Now()->Regions());
}

void AlertActions::MarkAcknowledged(MarkRequest request, const std::string& traceparent,
                                    std::function<void(Result<v1::AcknowledgeResponse>)> done) {
  const std::string client_id = request.client_id, alert_id = request.alert_id;
  request.issued_until = IssuedUntil(client_id, alert_id, request.time);
  parts_.admissions.Mark(std::move(request), [this, client_id, alert_id, traceparent,
                                              done = std::move(done)](Result<MarkResult> marked) {
    if (!marked) return done(Fail(marked.error()));
    v1::AcknowledgeResponse response;
    response.set_newly_acknowledged(marked->newly_marked);
    records::v1::Event event = EventOf(client_id, alert_id, marked->time, "acknowledged");
    event.mutable_acknowledged()->set_method(marked->method);
    event.mutable_acknowledged()->set_actor_id(marked->actor_id);
    Publish(event, traceparent, [response, done](Status published) {
      if (!published) return done(Fail(published.error()));
      done(response);
    });
  });
}

void AlertActions::Publish(const records::v1::Event& event, const std::string& traceparent,
                           std::function<void(Status)> done) {
  parts_.log.Publish(
      MakeRecord(parts_.topics.Events(), event.attempt().alert_id(), event, traceparent),
      [done = std::move(done)](const PublishReport& report) {
        if (report.outcome == PublishOutcome::kPersisted) return done({});
        const bool unknown = report.outcome == PublishOutcome::kUnknown;
        done(Fail(Error{.code = unknown ? ErrorCode::kOutcomeUnknown : ErrorCode::kKafkaUnavailable,
                        .message = "the alert is marked, but the event may not be recorded; retry",
                        .retry_after = kRetryDelay}));
      });
}

}  // namespace tocsin::ingress
