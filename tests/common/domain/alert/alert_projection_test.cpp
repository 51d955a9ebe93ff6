#include "common/domain/alert/alert_projection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <random>

namespace tocsin {
namespace {

WallTime At(std::int64_t seconds) { return FromUnixMicros(seconds * 1'000'000); }

AlertEvent Changed(v1::AttemptStatus status, std::int64_t seconds, std::string reason = {}) {
  AlertEvent alert_event;
  alert_event.id = "event-" + std::to_string(seconds) + v1::AttemptStatus_Name(status) + reason;
  alert_event.kind = AlertEventKind::kAttemptChanged;
  alert_event.step = 1;
  alert_event.attempt = 1;
  alert_event.time = At(seconds);
  alert_event.status = status;
  alert_event.reason = std::move(reason);
  return alert_event;
}

AlertEvent OfAttempt(std::int32_t attempt, AlertEvent alert_event) {
  alert_event.attempt = attempt;
  alert_event.id += "#" + std::to_string(attempt);
  return alert_event;
}

AlertEvent Followed(AlertEvent alert_event, std::int32_t next_attempt) {
  alert_event.next_attempt = next_attempt;
  return alert_event;
}

// A call that was completed.
AlertEvent Completed(std::int64_t seconds, v1::AnsweredBy answered_by) {
  AlertEvent alert_event = Changed(v1::ATTEMPT_STATUS_DELIVERED, seconds);
  alert_event.answered_by = answered_by;
  return alert_event;
}

AlertEvent Cancelled(std::int64_t seconds, v1::CancelOutcome outcome) {
  AlertEvent alert_event;
  alert_event.id = "cancel" + std::to_string(seconds);
  alert_event.kind = AlertEventKind::kCancelRequested;
  alert_event.time = At(seconds);
  alert_event.cancel_outcome = outcome;
  return alert_event;
}

AlertEvent Acknowledged(std::int64_t seconds) {
  AlertEvent alert_event;
  alert_event.id = "ack" + std::to_string(seconds);
  alert_event.kind = AlertEventKind::kAcknowledged;
  alert_event.time = At(seconds);
  return alert_event;
}

ProjectedAlert Project(const std::vector<AlertEvent>& alert_events) {
  return ProjectAlert(/*accepted=*/true, alert_events);
}

struct Row {
  const char* name;
  std::vector<AlertEvent> alert_events;
  v1::AlertState state;
  std::string reason = {};
  std::optional<std::int64_t> ended = {};
};

class AlertStates : public testing::TestWithParam<Row> {};

// S3
TEST_P(AlertStates, FollowFromTheirEvents) {
  const ProjectedAlert alert = Project(GetParam().alert_events);
  EXPECT_EQ(v1::AlertState_Name(alert.state), v1::AlertState_Name(GetParam().state));
  EXPECT_EQ(alert.reason, GetParam().reason);
  EXPECT_EQ(alert.ended, GetParam().ended ? std::optional(At(*GetParam().ended)) : std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(
    AlertProjection, AlertStates,
    testing::Values(
        Row{"NoEvents", {}, v1::ALERT_STATE_PENDING},
        Row{"Sending", {Changed(v1::ATTEMPT_STATUS_SENDING, 1)}, v1::ALERT_STATE_SENDING},
        Row{"AcceptedByTwilio",
            {Changed(v1::ATTEMPT_STATUS_SENDING, 1), Changed(v1::ATTEMPT_STATUS_SENT, 2)},
            v1::ALERT_STATE_SENT},
        Row{"DeliveredOutranksALaterFailure",
            {Changed(v1::ATTEMPT_STATUS_DELIVERED, 3),
             Changed(v1::ATTEMPT_STATUS_UNDELIVERED, 4, "X")},
            v1::ALERT_STATE_DELIVERED,
            "",
            3},
        Row{"NeverResolved",
            {Changed(v1::ATTEMPT_STATUS_SENDING, 1), Changed(v1::ATTEMPT_STATUS_IN_DOUBT, 2),
             Changed(v1::ATTEMPT_STATUS_FAILED, 3, "IN_DOUBT")},
            v1::ALERT_STATE_FAILED,
            "IN_DOUBT",
            3},
        Row{"LateProofOfAcceptance",
            {Changed(v1::ATTEMPT_STATUS_FAILED, 3, "IN_DOUBT"),
             Changed(v1::ATTEMPT_STATUS_SENT, 4)},
            v1::ALERT_STATE_SENT},
        Row{"NeverReceivedAndNotSentAgain",
            {Changed(v1::ATTEMPT_STATUS_IN_DOUBT, 2),
             Changed(v1::ATTEMPT_STATUS_FAILED, 3, "NOT_RECEIVED")},
            v1::ALERT_STATE_FAILED,
            "NOT_RECEIVED",
            3},
        Row{"LateProofOfAcceptanceAfterItWasNotReceived",
            {Changed(v1::ATTEMPT_STATUS_FAILED, 3, "NOT_RECEIVED"),
             Changed(v1::ATTEMPT_STATUS_SENT, 4)},
            v1::ALERT_STATE_SENT},
        Row{"LateProofOfDelivery",
            {Changed(v1::ATTEMPT_STATUS_FAILED, 3, "IN_DOUBT"),
             Changed(v1::ATTEMPT_STATUS_DELIVERED, 4)},
            v1::ALERT_STATE_DELIVERED,
            "",
            4},
        Row{"ExpiryRanksBelowAcceptance",
            {Changed(v1::ATTEMPT_STATUS_EXPIRED, 5, "EXPIRED"),
             Changed(v1::ATTEMPT_STATUS_SENT, 4)},
            v1::ALERT_STATE_SENT},
        Row{"AbortedStart",
            {Changed(v1::ATTEMPT_STATUS_SENDING, 1),
             Changed(v1::ATTEMPT_STATUS_EXPIRED, 5, "EXPIRED")},
            v1::ALERT_STATE_EXPIRED,
            "EXPIRED",
            5},
        Row{"LateDeliveryReport",
            {Changed(v1::ATTEMPT_STATUS_SENT_UNCONFIRMED, 9),
             Changed(v1::ATTEMPT_STATUS_UNDELIVERED, 10, "X")},
            v1::ALERT_STATE_FAILED,
            "X",
            10},
        Row{"NoDeliveryReport",
            {Changed(v1::ATTEMPT_STATUS_SENT, 1), Changed(v1::ATTEMPT_STATUS_SENT_UNCONFIRMED, 9)},
            v1::ALERT_STATE_SENT_UNCONFIRMED,
            "",
            9},
        Row{"RetryPending",
            {Followed(Changed(v1::ATTEMPT_STATUS_FAILED, 2, "X"), 2)},
            v1::ALERT_STATE_SENDING},
        Row{"RetryDelivered",
            {Followed(Changed(v1::ATTEMPT_STATUS_FAILED, 2, "X"), 2),
             OfAttempt(2, Changed(v1::ATTEMPT_STATUS_DELIVERED, 7))},
            v1::ALERT_STATE_DELIVERED,
            "",
            7},
        Row{"RetryExpired",
            {Followed(Changed(v1::ATTEMPT_STATUS_FAILED, 2, "X"), 2),
             OfAttempt(2, Changed(v1::ATTEMPT_STATUS_EXPIRED, 7, "EXPIRED"))},
            v1::ALERT_STATE_EXPIRED,
            "EXPIRED",
            7},
        Row{"OptedOut",
            {Changed(v1::ATTEMPT_STATUS_SENDING, 1),
             Changed(v1::ATTEMPT_STATUS_SUPPRESSED, 2, "OPTED_OUT")},
            v1::ALERT_STATE_SUPPRESSED,
            "OPTED_OUT",
            2},
        Row{"CancelledBeforeStart",
            {Cancelled(2, v1::CANCEL_OUTCOME_CANCELLED)},
            v1::ALERT_STATE_CANCELLED,
            "CANCELLED",
            2},
        Row{"CancelledTooLate",
            {Changed(v1::ATTEMPT_STATUS_SENT, 1), Cancelled(2, v1::CANCEL_OUTCOME_TOO_LATE)},
            v1::ALERT_STATE_SENT},
        Row{"CancelledWhileRetryPending",
            {Followed(Changed(v1::ATTEMPT_STATUS_FAILED, 2, "X"), 2),
             Cancelled(3, v1::CANCEL_OUTCOME_TOO_LATE)},
            v1::ALERT_STATE_CANCELLED,
            "CANCELLED",
            3},
        Row{"Acknowledged",
            {Changed(v1::ATTEMPT_STATUS_SENT, 1), Acknowledged(8), Acknowledged(6)},
            v1::ALERT_STATE_ACKNOWLEDGED,
            "",
            6}),
    [](const testing::TestParamInfo<Row>& row) { return std::string(row.param.name); });

TEST(AlertProjection, KeepsAFailedAlertOpenUntilItsAcceptanceIsKnown) {
  const std::vector<AlertEvent> alert_events{Changed(v1::ATTEMPT_STATUS_FAILED, 3, "X")};
  EXPECT_EQ(ProjectAlert({}, alert_events).state, v1::ALERT_STATE_SENDING);
}

TEST(AlertProjection, ReportsWhoAnsweredACompletedCall) {  // V5
  const auto outcome = [](const std::vector<AlertEvent>& alert_events) {
    const ProjectedAlert alert = Project(alert_events);
    EXPECT_EQ(alert.state, v1::ALERT_STATE_DELIVERED);
    EXPECT_TRUE(alert.attempts[0].IsFinal());
    return alert.attempts[0].status();
  };
  const AlertEvent over = Changed(v1::ATTEMPT_STATUS_DELIVERED, 9);
  EXPECT_EQ(outcome({over}), v1::ATTEMPT_STATUS_DELIVERED);
  EXPECT_EQ(outcome({over, Changed(v1::ATTEMPT_STATUS_ANSWERED_MACHINE, 4)}),
            v1::ATTEMPT_STATUS_ANSWERED_MACHINE);
  EXPECT_EQ(outcome({Completed(9, v1::ANSWERED_BY_MACHINE)}), v1::ATTEMPT_STATUS_ANSWERED_MACHINE);
  // A machine presses no key: a key press proves a person, whatever detection reported.
  EXPECT_EQ(outcome({Changed(v1::ATTEMPT_STATUS_ANSWERED_HUMAN, 5),
                     Completed(9, v1::ANSWERED_BY_MACHINE)}),
            v1::ATTEMPT_STATUS_ANSWERED_HUMAN);
}

TEST(AlertProjection, KeepsAnAnsweredCallOpen) {  // V2
  EXPECT_EQ(Project({Changed(v1::ATTEMPT_STATUS_ANSWERED_HUMAN, 5)}).state, v1::ALERT_STATE_SENT);
}

TEST(AlertProjection, KeepsAnAlertOpenIfACallFollowsOneAnsweredByAMachine) {  // V3
  EXPECT_EQ(Project({Followed(Completed(9, v1::ANSWERED_BY_MACHINE), 2)}).state,
            v1::ALERT_STATE_SENDING);
}

TEST(AlertProjection, KeepsAnAlertOpenUntilTheWorkerDecidesOnARetry) {  // V3
  AlertEvent busy = Changed(v1::ATTEMPT_STATUS_BUSY, 3);
  busy.kind = AlertEventKind::kCallback;
  busy.webhook_kind = records::v1::WEBHOOK_KIND_VOICE_STATUS;
  EXPECT_EQ(Project({busy}).state, v1::ALERT_STATE_SENDING);
  EXPECT_EQ(Project({busy, Cancelled(4, v1::CANCEL_OUTCOME_TOO_LATE)}).state,
            v1::ALERT_STATE_CANCELLED);
  const AlertEvent again = Followed(Changed(v1::ATTEMPT_STATUS_BUSY, 3), 2);
  EXPECT_EQ(Project({busy, again}).state, v1::ALERT_STATE_SENDING);
  EXPECT_EQ(Project({busy, again, OfAttempt(2, Changed(v1::ATTEMPT_STATUS_DELIVERED, 9))}).state,
            v1::ALERT_STATE_DELIVERED);
  AlertEvent last = Changed(v1::ATTEMPT_STATUS_BUSY, 3, "RETRIES_EXHAUSTED");
  last.last = true;
  EXPECT_EQ(Project({busy, last}).state, v1::ALERT_STATE_FAILED);
  EXPECT_EQ(Project({busy, last}).reason, "RETRIES_EXHAUSTED");
}

TEST(AlertProjection, RecordsBothADeliveryAndAFailure) {
  const ProjectedAlert alert = Project(
      {Changed(v1::ATTEMPT_STATUS_UNDELIVERED, 3, "X"), Changed(v1::ATTEMPT_STATUS_DELIVERED, 4)});
  ASSERT_EQ(alert.attempts.size(), 1);
  EXPECT_TRUE(alert.attempts[0].Saw(v1::ATTEMPT_STATUS_UNDELIVERED));
  EXPECT_TRUE(alert.attempts[0].Saw(v1::ATTEMPT_STATUS_DELIVERED));
}

TEST(AlertProjection, IgnoresACallbackWithoutAStatusOrWithoutAnAttempt) {
  records::v1::WebhookRecord webhook;
  webhook.set_kind(records::v1::WEBHOOK_KIND_SMS_STATUS);
  webhook.mutable_attempt()->set_alert_id("a");
  EXPECT_FALSE(AlertEventOf(webhook));
  webhook.set_status(v1::ATTEMPT_STATUS_DELIVERED);
  EXPECT_TRUE(AlertEventOf(webhook));
  webhook.clear_attempt();
  EXPECT_FALSE(AlertEventOf(webhook));
}

AlertEvent AnyAlertEvent(int id) {
  using rc::gen::element;
  using rc::gen::inRange;
  AlertEvent alert_event;
  alert_event.id = std::to_string(id);
  alert_event.kind = *element(AlertEventKind::kAttemptChanged, AlertEventKind::kAttemptChanged,
                              AlertEventKind::kCallback, AlertEventKind::kPriced,
                              AlertEventKind::kCancelRequested, AlertEventKind::kAcknowledged);
  alert_event.step = *inRange(1, 3);
  alert_event.attempt = *inRange(1, 4);
  alert_event.time = At(*inRange(0, 6));  // few distinct times, so that ties occur
  alert_event.status = static_cast<v1::AttemptStatus>(*inRange(1, 18));
  alert_event.reason = *element<std::string>("", "IN_DOUBT", "NOT_RECEIVED", "TWILIO_API_ERROR");
  alert_event.provider_code = *element(0, 30003, 21610);
  alert_event.provider_sid = *element<std::string>("", "SM1");
  alert_event.next_attempt = *element(0, 0, alert_event.attempt + 1);
  alert_event.last = *rc::gen::arbitrary<bool>();
  alert_event.cancel_outcome = *element(v1::CANCEL_OUTCOME_CANCELLED, v1::CANCEL_OUTCOME_TOO_LATE,
                                        v1::CANCEL_OUTCOME_ALREADY_ENDED);
  alert_event.answered_by =
      *element(v1::ANSWERED_BY_UNSPECIFIED, v1::ANSWERED_BY_HUMAN, v1::ANSWERED_BY_MACHINE);
  if (alert_event.kind == AlertEventKind::kPriced) alert_event.price_micros = *inRange(0, 100);
  return alert_event;
}

std::string Describe(const ProjectedAlert& alert) {
  std::string text = v1::AlertState_Name(alert.state) + " " + alert.reason + " " +
                     std::to_string(alert.ended ? ToUnixMicros(*alert.ended) : -1) + " " +
                     std::to_string(alert.updated ? ToUnixMicros(*alert.updated) : -1);
  for (const AttemptProjection& attempt : alert.attempts) {
    text += "\n" + std::to_string(attempt.step()) + "." + std::to_string(attempt.attempt()) + " " +
            v1::AttemptStatus_Name(attempt.status()) + " " + attempt.reason() + " " +
            std::to_string(attempt.provider_code()) + " " + attempt.provider_sid() + " " +
            std::to_string(ToUnixMicros(attempt.status_since())) + " " +
            std::to_string(attempt.price_micros().value_or(-1)) + " " +
            std::to_string(attempt.next_attempt()) + (attempt.last() ? " last" : "") +
            (attempt.was_in_doubt() ? " doubted" : "");
  }
  return text;
}

// W5
TEST(AlertProjection, IsIndependentOfOrderAndRepetition) {
  EXPECT_TRUE(rc::check([] {
    std::vector<AlertEvent> alert_events;
    const int count = *rc::gen::inRange(0, 12);
    for (int i = 0; i < count; ++i) alert_events.push_back(AnyAlertEvent(i));
    std::vector<AlertEvent> again = alert_events;
    const int repeats = count == 0 ? 0 : *rc::gen::inRange(0, 12);
    for (int i = 0; i < repeats; ++i)
      again.push_back(alert_events[*rc::gen::inRange<size_t>(0, alert_events.size())]);
    std::shuffle(again.begin(), again.end(), std::mt19937(*rc::gen::arbitrary<unsigned>()));
    const bool accepted = *rc::gen::arbitrary<bool>();
    RC_ASSERT(Describe(ProjectAlert(accepted, again)) ==
              Describe(ProjectAlert(accepted, alert_events)));
  }));
}

// A completed call reports who answered it instead of DELIVERED; it is final nevertheless.
int RankShown(const AttemptProjection& attempt) {
  const bool completed = attempt.IsFinal() && !IsEnd(attempt.status());
  return completed ? RankOf(v1::ATTEMPT_STATUS_DELIVERED, "")
                   : RankOf(attempt.status(), attempt.reason());
}

TEST(AlertProjection, NeverLowersTheRankOfAnAttempt) {
  EXPECT_TRUE(rc::check([] {
    AttemptProjection attempt(1, 1);
    int rank = 0;
    for (int i = 0; i < 12; ++i) {
      attempt.Apply(AnyAlertEvent(i));
      const int now = RankShown(attempt);
      RC_ASSERT(now >= rank);
      rank = now;
    }
  }));
}

// Plans.

AlertEvent OfStep(std::int32_t step, AlertEvent alert_event) {
  alert_event.step = step;
  alert_event.id += "@" + std::to_string(step);
  return alert_event;
}

AlertEvent AcknowledgedBy(const std::string& person, std::int64_t seconds) {
  AlertEvent alert_event = Acknowledged(seconds);
  alert_event.id += person;
  alert_event.person = person;
  return alert_event;
}

AlertEvent GoalMissed(std::int64_t seconds) {
  AlertEvent alert_event;
  alert_event.id = "missed";
  alert_event.kind = AlertEventKind::kGoalMissed;
  alert_event.time = At(seconds);
  return alert_event;
}

AlertEvent Last(AlertEvent alert_event) {
  alert_event.last = true;
  return alert_event;
}

const PlanTerms kQuorum{.goal = v1::REACH_ACKNOWLEDGED,
                        .person_count = 2,
                        .target_count = 3,
                        .persons = {"ann", "ben", "cleo"}};

ProjectedAlert ProjectPlan(std::vector<AlertEvent> alert_events, const PlanTerms& plan = kQuorum) {
  ProjectedAlert projected = ProjectAlert(true, alert_events, plan);
  std::ranges::reverse(alert_events);
  EXPECT_EQ(ProjectAlert(true, alert_events, plan).state, projected.state) << "another order";
  return projected;
}

TEST(PlanProjectionTest, EndsWhenEnoughPersonsHaveAcknowledged) {
  std::vector<AlertEvent> events{Changed(v1::ATTEMPT_STATUS_DELIVERED, 1), AcknowledgedBy("ann", 5),
                                 AcknowledgedBy("ann", 6)};
  EXPECT_EQ(ProjectPlan(events).state, v1::ALERT_STATE_SENDING);
  EXPECT_EQ(ProjectPlan(events).reach, v1::REACH_ACKNOWLEDGED);
  events.push_back(AcknowledgedBy("ben", 9));
  EXPECT_EQ(ProjectPlan(events).state, v1::ALERT_STATE_ACKNOWLEDGED);
  EXPECT_EQ(ProjectPlan(events).ended, At(9));
  events.push_back(AcknowledgedBy("cleo", 20));
  EXPECT_EQ(ProjectPlan(events).ended, At(9)) << "later acknowledgements change nothing";
}

// The work record of the call was not available, so the event names nobody.
TEST(PlanProjectionTest, AKeyPressIsTheAcknowledgementOfThePersonWhoWasCalled) {
  std::vector<AlertEvent> events{Changed(v1::ATTEMPT_STATUS_DELIVERED, 1),
                                 OfStep(2, Acknowledged(5)), AcknowledgedBy("ben", 6)};
  EXPECT_EQ(ProjectPlan(events).state, v1::ALERT_STATE_SENDING) << "one person";
  events.push_back(OfStep(3, Acknowledged(9)));
  EXPECT_EQ(ProjectPlan(events).state, v1::ALERT_STATE_ACKNOWLEDGED);
}

TEST(PlanProjectionTest, ADeliveryIsNoEndWhileAcknowledgementsAreMissing) {
  EXPECT_EQ(ProjectPlan({Changed(v1::ATTEMPT_STATUS_DELIVERED, 1),
                         OfStep(2, Changed(v1::ATTEMPT_STATUS_DELIVERED, 2)),
                         OfStep(3, Changed(v1::ATTEMPT_STATUS_DELIVERED, 3))})
                .state,
            v1::ALERT_STATE_SENDING);
}

TEST(PlanProjectionTest, AMissedGoalIsTheEndWhateverFollows) {
  const ProjectedAlert alert =
      ProjectPlan({Changed(v1::ATTEMPT_STATUS_DELIVERED, 1), AcknowledgedBy("ann", 5),
                   GoalMissed(10), AcknowledgedBy("ben", 12)});
  EXPECT_EQ(alert.state, v1::ALERT_STATE_NOT_ACKNOWLEDGED);
  EXPECT_EQ(alert.reason, "GOAL_MISSED");
  EXPECT_EQ(alert.ended, At(10));
  EXPECT_EQ(alert.reach, v1::REACH_ACKNOWLEDGED);
}

TEST(PlanProjectionTest, ADeliveryToOneTargetReachesTheDefaultGoal) {
  const PlanTerms plan{.target_count = 3};
  EXPECT_EQ(
      ProjectPlan({Last(Changed(v1::ATTEMPT_STATUS_FAILED, 1, "TWILIO_API_ERROR"))}, plan).state,
      v1::ALERT_STATE_SENDING)
      << "two targets are left";
  EXPECT_EQ(ProjectPlan({Last(Changed(v1::ATTEMPT_STATUS_FAILED, 1, "TWILIO_API_ERROR")),
                         OfStep(2, Changed(v1::ATTEMPT_STATUS_DELIVERED, 2))},
                        plan)
                .state,
            v1::ALERT_STATE_DELIVERED);
}

TEST(PlanProjectionTest, FailsWhenAllTargetsHaveFailed) {
  const PlanTerms plan{.target_count = 2};
  EXPECT_EQ(ProjectPlan({Last(Changed(v1::ATTEMPT_STATUS_FAILED, 1, "TWILIO_API_ERROR")),
                         OfStep(2, Last(Changed(v1::ATTEMPT_STATUS_BUSY, 2, "RETRIES_EXHAUSTED")))},
                        plan)
                .state,
            v1::ALERT_STATE_FAILED);
}

TEST(PlanProjectionTest, OnlyAPersonReachesTheGoalHuman) {
  const PlanTerms plan{.goal = v1::REACH_HUMAN, .target_count = 2};
  const AlertEvent unknown = OfStep(1, Completed(1, v1::ANSWERED_BY_UNSPECIFIED));
  EXPECT_EQ(ProjectPlan({unknown}, plan).state, v1::ALERT_STATE_SENDING);
  EXPECT_EQ(ProjectPlan({unknown, OfStep(2, Completed(5, v1::ANSWERED_BY_HUMAN))}, plan).state,
            v1::ALERT_STATE_DELIVERED);
}

TEST(PlanProjectionTest, ACancellationEndsAPlan) {
  EXPECT_EQ(ProjectPlan({Changed(v1::ATTEMPT_STATUS_DELIVERED, 1),
                         Cancelled(5, v1::CANCEL_OUTCOME_TOO_LATE), GoalMissed(10)})
                .state,
            v1::ALERT_STATE_CANCELLED);
  EXPECT_EQ(ProjectPlan({Changed(v1::ATTEMPT_STATUS_DELIVERED, 1), GoalMissed(10)}).state,
            v1::ALERT_STATE_NOT_ACKNOWLEDGED)
      << "its cancellation may be missing";
}

}  // namespace
}  // namespace tocsin
