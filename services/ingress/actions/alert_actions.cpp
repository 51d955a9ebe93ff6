#include "services/ingress/actions/alert_actions.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/domain/alert/event_of_alert.h"
#include "common/domain/alert/request_rules.h"
#include "common/domain/delivery/cancel_outcome.h"
#include "common/domain/delivery/known_attempt.h"
#include "common/domain/plan/plan.h"
#include "common/ports/delay_tiers.h"
#include "services/ingress/acceptance/metadata.h"

namespace tocsin::ingress {
namespace {

constexpr std::chrono::milliseconds kRetryDelay{1000};
constexpr std::chrono::seconds kClockSkew{10};
// What precedes this is in the store: starts by the order of the log are stored there later.
constexpr std::chrono::minutes kMaxReadBack{15};

v1::CancelOutcome OutcomeOf(const MarkResult& marked) {
  return CancelOutcomeOf({.post_in_progress = marked.post_in_progress,
                          .acknowledged = marked.acknowledged_before.has_value(),
                          .delivered = marked.delivered,
                          .has_plan = marked.has_plan,
                          .results = marked.results});
}

}  // namespace

struct AlertActions::Cancellation {
  std::string client_id;
  std::string alert_id;
  std::string traceparent;
  WallTime request_time;
  std::optional<IssuedId> issued;
  std::function<void(Result<v1::CancelResponse>)> done;
  WallTime mark_time{};  // of the first cancellation
};

void AlertActions::Cancel(const std::string& client_id, const v1::CancelRequest& request,
                          const std::string& traceparent,
                          std::function<void(Result<v1::CancelResponse>)> done) {
  const std::string& alert_id = request.alert_id();
  if (const Status valid = CheckAlertId(alert_id); !valid) return done(Fail(valid.error()));
  const WallTime now = parts_.clock.Now();
  const auto cancellation =
      std::make_shared<Cancellation>(Cancellation{.client_id = client_id,
                                                  .alert_id = alert_id,
                                                  .traceparent = traceparent,
                                                  .request_time = now,
                                                  .issued = ReadId(client_id, alert_id, now),
                                                  .done = std::move(done)});
  MarkRequest mark{.alert_id = alert_id,
                   .client_id = client_id,
                   .mark = MarkRequest::Mark::kCancelled,
                   .time = now};
  if (cancellation->issued) mark.issued_until = cancellation->issued->until;
  parts_.admissions.Mark(std::move(mark), [this, cancellation](Result<MarkResult> marked) {
    if (!marked) return cancellation->done(Fail(marked.error()));
    OnCancelled(cancellation, *marked);
  });
}

void AlertActions::OnCancelled(const std::shared_ptr<Cancellation>& cancellation,
                               const MarkResult& marked) {
  const std::optional<IssuedId>& issued = cancellation->issued;
  const bool emergency = issued ? issued->emergency : marked.may_be_emergency;
  const v1::CancelOutcome outcome = OutcomeOf(marked);
  cancellation->mark_time = marked.time;
  // Its event may be missing: then the client of the acknowledgement got an error.
  if (const auto& earlier = marked.acknowledged_before)
    return Publish(
        AcknowledgedEvent(marked.client_id, cancellation->alert_id, earlier->time, earlier->mark),
        cancellation->traceparent,
        [this, cancellation, outcome](const Result<records::v1::Position>& published) {
          if (!published) return cancellation->done(Fail(published.error()));
          Conclude(cancellation, outcome);
        });
  if (!emergency || outcome != v1::CANCEL_OUTCOME_CANCELLED) return Conclude(cancellation, outcome);
  CheckStarts(cancellation, issued ? issued->create_time : marked.create_time);
}

void AlertActions::CheckStarts(const std::shared_ptr<Cancellation>& cancellation,
                               std::optional<WallTime> create_time) {
  const WallTime earliest = cancellation->request_time - kMaxReadBack;
  const WallTime from = create_time ? std::max(*create_time - kClockSkew, earliest) : earliest;
  Publish(CancelEvent(*cancellation, v1::CANCEL_OUTCOME_UNSPECIFIED), cancellation->traceparent,
          [this, cancellation, from](Result<records::v1::Position> published) {
            if (!published) return cancellation->done(Fail(published.error()));
            parts_.start_check.Run(cancellation->alert_id, *published, from,
                                   [this, cancellation](Result<v1::CancelOutcome> outcome) {
                                     if (!outcome) return cancellation->done(Fail(outcome.error()));
                                     Conclude(cancellation, *outcome);
                                   });
          });
}

void AlertActions::Conclude(const std::shared_ptr<Cancellation>& cancellation,
                            v1::CancelOutcome outcome) {
  Publish(CancelEvent(*cancellation, outcome), cancellation->traceparent,
          [cancellation, outcome](const Result<records::v1::Position>& published) {
            if (!published) return cancellation->done(Fail(published.error()));
            v1::CancelResponse response;
            response.set_outcome(outcome);
            cancellation->done(response);
          });
}

// A cancellation without effect has the time of its request, to the minute since the mark was set:
// an earlier one that had an effect may have set it. So repetitions add one event a minute at most.
records::v1::Event AlertActions::CancelEvent(const Cancellation& cancellation,
                                             v1::CancelOutcome outcome) const {
  const bool ended = outcome == v1::CANCEL_OUTCOME_ALREADY_ENDED;
  WallTime time = cancellation.mark_time;
  if (ended && cancellation.request_time > time)
    time += std::chrono::floor<std::chrono::minutes>(cancellation.request_time - time);
  std::string seed = "cancel/" + std::to_string(outcome);
  if (ended) seed += "/" + std::to_string(ToUnixMicros(time));
  records::v1::Event event =
      EventOfAlert(cancellation.client_id, cancellation.alert_id, time, seed);
  event.mutable_cancel_requested()->set_outcome(outcome);
  return event;
}

void AlertActions::Acknowledge(const std::string& client_id, const v1::AcknowledgeRequest& request,
                               const std::string& traceparent,
                               std::function<void(Result<v1::AcknowledgeResponse>)> done) {
  if (const Status valid = CheckAlertId(request.alert_id()); !valid)
    return done(Fail(valid.error()));
  if (const Status valid = CheckActor(request.actor_id()); !valid) return done(Fail(valid.error()));
  if (const Status valid = CheckPersonOf(request); !valid) return done(Fail(valid.error()));
  MarkRequest mark{.alert_id = request.alert_id(),
                   .client_id = client_id,
                   .mark = MarkRequest::Mark::kAcknowledged,
                   .time = parts_.clock.Now(),
                   .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                   .actor_id = request.actor_id(),
                   .person = request.person(),
                   .unless_cancelled = true};
  if (const auto issued = ReadId(client_id, mark.alert_id, mark.time))
    mark.issued_until = issued->until;
  MarkAcknowledged(
      std::move(mark), traceparent, [done = std::move(done)](const Result<AckOutcome>& outcome) {
        if (!outcome) return done(Fail(outcome.error()));
        if (*outcome == AckOutcome::kCancelled)
          return done(Fail(ErrorCode::kCancelled, "the alert was cancelled", "alert_id"));
        v1::AcknowledgeResponse response;
        response.set_newly_acknowledged(*outcome == AckOutcome::kAcknowledged);
        done(response);
      });
}

void AlertActions::AcknowledgeByKeypress(const std::string& client_id, const AckProof& proof,
                                         const std::string& traceparent,
                                         std::function<void(Result<AckOutcome>)> done) {
  MarkRequest mark{.alert_id = proof.alert_id,
                   .client_id = client_id,
                   .mark = MarkRequest::Mark::kAcknowledged,
                   .time = parts_.clock.Now(),
                   .method = v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS,
                   .step = proof.step,
                   .evidence = proof.evidence,
                   .person = proof.person};
  if (const auto issued = ReadId(client_id, mark.alert_id, mark.time))
    mark.issued_until = issued->until;
  MarkAcknowledged(std::move(mark), traceparent, std::move(done));
}

// A person who declined an alert, with the mark to set.
struct AlertActions::DeclinedPerson {
  std::string client_id;
  std::string alert_id;
  WallTime time;
  KnownMark mark;
  std::optional<records::v1::WorkRecord> work;  // of this person's target, if it is known
};

// The mark comes first: the claim of the next step reads it. If it cannot be set, workers do so by
// the event.
void AlertActions::Decline(const ReceivedDecline& decline, const std::string& traceparent,
                           std::function<void(Status)> done) {
  const v1::AttemptRef& attempt = decline.work.attempt();
  DeclinedPerson declined{.client_id = decline.work.client_id(),
                          .alert_id = attempt.alert_id(),
                          .time = parts_.clock.Now(),
                          .mark = {.kind = KnownMark::Kind::kDeclined,
                                   .method = v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS,
                                   .step = attempt.step(),
                                   .evidence = decline.call_sid,
                                   .person = PersonOf(decline.work)},
                          .work = decline.work};
  MarkRequest mark{.alert_id = declined.alert_id,
                   .client_id = declined.client_id,
                   .mark = MarkRequest::Mark::kDeclined,
                   .time = declined.time,
                   .method = declined.mark.method,
                   .step = declined.mark.step,
                   .evidence = declined.mark.evidence,
                   .person = declined.mark.person,
                   .unless_acknowledged = true};
  if (const auto issued = ReadId(mark.client_id, mark.alert_id, mark.time))
    mark.issued_until = issued->until;
  parts_.admissions.Mark(std::move(mark),
                         [this, declined = std::move(declined), traceparent,
                          done = std::move(done)](const Result<MarkResult>& marked) mutable {
                           if (marked && marked->acknowledged) return done({});
                           if (marked) {
                             declined.time = marked->time;
                             declined.mark.method = marked->method;
                             declined.mark.step = marked->step;
                             declined.mark.evidence = marked->evidence;
                           }
                           PublishDeclined(declined, traceparent, std::move(done));
                         });
}

// Equal arguments publish equal records. The claim of the next step decides whether the step of
// this person is over.
void AlertActions::PublishDeclined(const DeclinedPerson& declined, const std::string& traceparent,
                                   std::function<void(Status)> done) {
  records::v1::Event event =
      DeclinedEvent(declined.client_id, declined.alert_id, declined.time, declined.mark);
  std::vector<records::v1::WorkRecord> next;
  if (declined.work) {
    event.set_priority(declined.work->priority());
    next = RecordsAfterFailure(*declined.work, declined.time);
  }
  Publish(event, traceparent,
          [this, next = std::move(next), traceparent,
           done = std::move(done)](const Result<records::v1::Position>& published) {
            if (!published) return done(Fail(published.error()));
            if (next.empty()) return done({});
            PublishWork(next.front(), traceparent, done);
          });
}

void AlertActions::PublishWork(const records::v1::WorkRecord& work, const std::string& traceparent,
                               std::function<void(Status)> done) {
  parts_.log.Publish(MakeRecord(NextTopic(parts_.topics, work, parts_.clock.Now()),
                                work.attempt().alert_id(), work, traceparent),
                     [done = std::move(done)](const PublishReport& report) {
                       if (report.outcome == PublishOutcome::kPersisted) return done({});
                       done(Fail(ErrorCode::kKafkaUnavailable, "the next step is not published"));
                     });
}

void AlertActions::AcknowledgeByLink(const AckProof& proof, const std::string& traceparent,
                                     std::function<void(Result<AckOutcome>)> done) {
  MarkAcknowledged({.alert_id = proof.alert_id,
                    .client_id = {},
                    .mark = MarkRequest::Mark::kAcknowledged,
                    .time = parts_.clock.Now(),
                    .method = v1::ACKNOWLEDGEMENT_METHOD_LINK,
                    .step = proof.step,
                    .evidence = proof.evidence,
                    .unless_cancelled = true},
                   traceparent, std::move(done));
}

void AlertActions::ProcessReply(const ReceivedReply& reply, const std::string& traceparent,
                                std::function<void(Result<AckReplyResult>)> done) {
  parts_.admissions.FindAckCode(
      {.recipient_token = reply.recipient_token,
       .code = reply.code,
       .evidence = reply.message_sid,
       .time = parts_.clock.Now()},
      [this, reply, traceparent, done = std::move(done)](Result<AckCodeMatches> matches) mutable {
        if (!matches) return done(Fail(matches.error()));
        const ReplyMatch match = MatchReply(reply.kind, reply.code, *matches);
        if (!match.alert) return done(match.otherwise);
        if (reply.kind == AckReplyKind::kAcknowledge)
          return AcknowledgeByReply(reply, match, traceparent, std::move(done));
        DeclineByReply({.alert_id = match.alert->alert_id,
                        .client_id = {},
                        .mark = MarkRequest::Mark::kDeclined,
                        .time = parts_.clock.Now(),
                        .method = v1::ACKNOWLEDGEMENT_METHOD_REPLY,
                        .step = match.alert->step,
                        .evidence = reply.message_sid,
                        .unless_cancelled = true,
                        .unless_acknowledged = true},
                       match.otherwise, traceparent, std::move(done));
      });
}

void AlertActions::AcknowledgeByReply(const ReceivedReply& reply, const ReplyMatch& match,
                                      const std::string& traceparent,
                                      std::function<void(Result<AckReplyResult>)> done) {
  MarkAcknowledged({.alert_id = match.alert->alert_id,
                    .client_id = {},
                    .mark = MarkRequest::Mark::kAcknowledged,
                    .time = parts_.clock.Now(),
                    .method = v1::ACKNOWLEDGEMENT_METHOD_REPLY,
                    .step = match.alert->step,
                    .evidence = reply.message_sid,
                    .unless_cancelled = true},
                   traceparent,
                   [otherwise = match.otherwise, repeated = match.alert->repeated,
                    done = std::move(done)](const Result<AckOutcome>& outcome) {
                     if (!outcome) return done(Fail(outcome.error()));
                     if (*outcome == AckOutcome::kCancelled) return done(otherwise);
                     done(repeated || *outcome == AckOutcome::kAcknowledged
                              ? AckReplyResult::kAcknowledged
                              : AckReplyResult::kAlreadyAcknowledged);
                   });
}

// As for an acknowledgement, a cancellation that came too late has no effect.
void AlertActions::DeclineByReply(MarkRequest request, AckReplyResult otherwise,
                                  const std::string& traceparent,
                                  std::function<void(Result<AckReplyResult>)> done) {
  parts_.admissions.Mark(request, [this, request, otherwise, traceparent,
                                   done = std::move(done)](Result<MarkResult> marked) mutable {
    if (!marked) return done(Fail(marked.error()));
    if (marked->acknowledged) return done(AckReplyResult::kAlreadyAcknowledged);
    if (marked->cancelled && OutcomeOf(*marked) == v1::CANCEL_OUTCOME_CANCELLED)
      return done(otherwise);
    if (marked->cancelled) {
      request.unless_cancelled = false;
      return DeclineByReply(std::move(request), otherwise, traceparent, std::move(done));
    }
    DeclinedPerson declined{.client_id = marked->client_id,
                            .alert_id = request.alert_id,
                            .time = marked->time,
                            .mark = {.kind = KnownMark::Kind::kDeclined,
                                     .method = marked->method,
                                     .step = marked->step,
                                     .evidence = marked->evidence,
                                     .person = marked->person},
                            .work = {}};
    if (records::v1::WorkRecord work; !marked->work.empty() && work.ParseFromString(marked->work))
      declined.work = std::move(work);
    const auto result =
        marked->person.empty() ? AckReplyResult::kRecorded : AckReplyResult::kDeclined;
    PublishDeclined(declined, traceparent, [result, done = std::move(done)](const Status& status) {
      if (!status) return done(Fail(status.error()));
      done(result);
    });
  });
}

// Nothing for an alert that is over: the store may have deleted its state.
std::optional<IssuedId> AlertActions::ReadId(const std::string& client_id,
                                             const std::string& alert_id, WallTime now) const {
  const auto issued = ReadIssuedId(alert_id, client_id, [this](std::string_view text) {
    return parts_.vault.DigestRequest(text);
  });
  return issued && issued->until >= now ? issued : std::nullopt;
}

Status AlertActions::CheckActor(const std::string& actor_id) const {
  TOCSIN_CHECK_OK(CheckActorId(actor_id));
  if (rules_.allow_pii_like_metadata) return {};
  return CheckNoPii(actor_id, "actor_id", parts_.registry.Now()->Regions());
}

Status AlertActions::CheckPersonOf(const v1::AcknowledgeRequest& request) const {
  if (request.person().empty()) return {};
  TOCSIN_CHECK_OK(CheckPerson(request.person(), "person"));
  if (rules_.allow_pii_like_metadata) return {};
  return CheckNoPii(request.person(), "person", parts_.registry.Now()->Regions());
}

// A cancellation that came too late is in the store, too, and has no effect on the alert.
void AlertActions::MarkAcknowledged(MarkRequest request, const std::string& traceparent,
                                    std::function<void(Result<AckOutcome>)> done) {
  parts_.admissions.Mark(request, [this, request, traceparent,
                                   done = std::move(done)](Result<MarkResult> marked) mutable {
    if (!marked) return done(Fail(marked.error()));
    if (marked->cancelled && OutcomeOf(*marked) == v1::CANCEL_OUTCOME_CANCELLED)
      return done(AckOutcome::kCancelled);
    if (marked->cancelled) {
      request.unless_cancelled = false;
      return MarkAcknowledged(std::move(request), traceparent, std::move(done));
    }
    const AckOutcome outcome =
        marked->newly_marked ? AckOutcome::kAcknowledged : AckOutcome::kAlreadyAcknowledged;
    PublishAcknowledged(request.alert_id, *marked, traceparent,
                        [outcome, done](const Result<records::v1::Position>& published) {
                          if (!published) return done(Fail(published.error()));
                          done(outcome);
                        });
  });
}

// The event of the first acknowledgement, or of the first by this person of a plan, also if others
// followed.
void AlertActions::PublishAcknowledged(const std::string& alert_id, const MarkResult& marked,
                                       const std::string& traceparent,
                                       std::function<void(Result<records::v1::Position>)> done) {
  const KnownMark mark{.kind = KnownMark::Kind::kAcknowledged,
                       .method = marked.method,
                       .actor_id = marked.actor_id,
                       .step = marked.step,
                       .evidence = marked.evidence,
                       .person = marked.person};
  Publish(AcknowledgedEvent(marked.client_id, alert_id, marked.time, mark), traceparent,
          std::move(done));
}

void AlertActions::Publish(const records::v1::Event& event, const std::string& traceparent,
                           std::function<void(Result<records::v1::Position>)> done) {
  parts_.log.Publish(
      MakeRecord(parts_.topics.Events(), event.attempt().alert_id(), event, traceparent),
      [done = std::move(done)](const PublishReport& report) {
        if (report.outcome == PublishOutcome::kPersisted) return done(report.position);
        const bool unknown = report.outcome == PublishOutcome::kUnknown;
        done(Fail(Error{.code = unknown ? ErrorCode::kOutcomeUnknown : ErrorCode::kKafkaUnavailable,
                        .message = "the alert is marked, but the event may not be recorded; retry",
                        .retry_after = kRetryDelay}));
      });
}

}  // namespace tocsin::ingress
