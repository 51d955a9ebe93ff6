#include "common/domain/delivery/cancel_outcome.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/delivery/log_claim.h"

namespace tocsin {
namespace {

records::v1::AttemptResult Outcome(records::v1::AttemptOutcome outcome) {
  records::v1::AttemptResult result;
  result.set_outcome(outcome);
  return result;
}
records::v1::AttemptResult Refused(records::v1::ProviderErrorClass error_class) {
  records::v1::AttemptResult result = Outcome(records::v1::ATTEMPT_OUTCOME_REFUSED);
  result.set_error_class(error_class);
  return result;
}
records::v1::AttemptResult NotAttempted(v1::AttemptStatus status) {
  records::v1::AttemptResult result = Outcome(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
  result.set_status(status);
  return result;
}

struct Row {
  const char* name;
  bool post_in_progress;
  bool acknowledged;
  bool delivered;
  std::vector<records::v1::AttemptResult> results;
  v1::CancelOutcome outcome;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class CancelOutcomeTest : public testing::TestWithParam<Row> {};

TEST_P(CancelOutcomeTest, FollowsFromWhatTheStoreKnows) {  // A2
  const Row& row = GetParam();
  EXPECT_EQ(CancelOutcomeOf({.post_in_progress = row.post_in_progress,
                             .acknowledged = row.acknowledged,
                             .delivered = row.delivered,
                             .results = row.results}),
            row.outcome);
}

const auto kAccepted = Outcome(records::v1::ATTEMPT_OUTCOME_ACCEPTED);

INSTANTIATE_TEST_SUITE_P(
    Each, CancelOutcomeTest,
    testing::Values(
        Row{"BeforeAnyAttempt", false, false, false, {}, v1::CANCEL_OUTCOME_CANCELLED},
        Row{"DuringThePost", true, false, false, {}, v1::CANCEL_OUTCOME_TOO_LATE},
        Row{"BetweenAttemptsThatWereNotSent",
            false,
            false,
            false,
            {Outcome(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED),
             Outcome(records::v1::ATTEMPT_OUTCOME_NOT_SENT)},
            v1::CANCEL_OUTCOME_CANCELLED},
        Row{"AgainAfterItStoppedTheAttempt",
            false,
            false,
            false,
            {NotAttempted(v1::ATTEMPT_STATUS_CANCELLED)},
            v1::CANCEL_OUTCOME_CANCELLED},
        Row{"AfterItWasAccepted", false, false, false, {kAccepted}, v1::CANCEL_OUTCOME_TOO_LATE},
        Row{"WhileItIsInDoubt",
            false,
            false,
            false,
            {Outcome(records::v1::ATTEMPT_OUTCOME_IN_DOUBT)},
            v1::CANCEL_OUTCOME_TOO_LATE},
        Row{"BetweenARefusalAndTheNextAttempt",
            false,
            false,
            false,
            {Refused(records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_AFTER)},
            v1::CANCEL_OUTCOME_TOO_LATE},
        Row{"AfterARefusalForGood",
            false,
            false,
            false,
            {Outcome(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED),
             Refused(records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER)},
            v1::CANCEL_OUTCOME_ALREADY_ENDED},
        Row{"AfterItExpired",
            false,
            false,
            false,
            {NotAttempted(v1::ATTEMPT_STATUS_EXPIRED)},
            v1::CANCEL_OUTCOME_ALREADY_ENDED},
        Row{"AfterThePolicyEndedTheDoubtAndMayHaveResent",
            false,
            false,
            false,
            {Outcome(records::v1::ATTEMPT_OUTCOME_UNRESOLVED)},
            v1::CANCEL_OUTCOME_TOO_LATE},
        Row{"AfterTheDelivery", false, false, true, {kAccepted}, v1::CANCEL_OUTCOME_ALREADY_ENDED},
        Row{"AfterAnAcknowledgement",
            false,
            true,
            false,
            {kAccepted},
            v1::CANCEL_OUTCOME_ALREADY_ENDED},
        Row{"AfterAnAcknowledgementBeforeAnyAttempt",
            false,
            true,
            false,
            {},
            v1::CANCEL_OUTCOME_ALREADY_ENDED},
        Row{"AfterAnAcknowledgementDuringAPost",
            true,
            true,
            false,
            {},
            v1::CANCEL_OUTCOME_ALREADY_ENDED}),
    [](const auto& row) { return std::string(row.param.name); });

records::v1::Event AttemptEvent(std::int32_t attempt, v1::AttemptStatus status,
                                std::string_view note = {}) {
  records::v1::Event event;
  event.mutable_attempt()->set_alert_id("an alert");
  event.mutable_attempt()->set_step(1);
  event.mutable_attempt()->set_attempt(attempt);
  event.mutable_attempt_changed()->set_status(status);
  event.mutable_attempt_changed()->set_note(std::string(note));
  return event;
}
records::v1::Event StartByLog(std::int32_t attempt) {
  return AttemptEvent(attempt, v1::ATTEMPT_STATUS_SENDING, kStartedByLog);
}
records::v1::Event NotSent(std::int32_t attempt) {
  return AttemptEvent(attempt, v1::ATTEMPT_STATUS_FAILED);
}
records::v1::Event Accepted(std::int32_t attempt) {
  records::v1::Event event = AttemptEvent(attempt, v1::ATTEMPT_STATUS_QUEUED);
  event.mutable_attempt_changed()->set_provider_sid("SM1");
  return event;
}
records::v1::Event CancelRequested() {
  records::v1::Event event;
  event.mutable_cancel_requested();
  return event;
}

v1::CancelOutcome OutcomeAfter(const std::vector<records::v1::Event>& events) {
  StartsBeforeCancel starts;
  for (const records::v1::Event& event : events) starts.Apply(event);
  return starts.outcome();
}

TEST(StartsBeforeCancelTest, IsTooLateAfterAStartByLogThatMayHaveBeenSent) {  // A2, R6
  EXPECT_EQ(OutcomeAfter({StartByLog(1), CancelRequested()}), v1::CANCEL_OUTCOME_TOO_LATE);
  EXPECT_EQ(OutcomeAfter({StartByLog(1), Accepted(1), CancelRequested()}),
            v1::CANCEL_OUTCOME_TOO_LATE);
  EXPECT_EQ(OutcomeAfter({StartByLog(1), NotSent(1), StartByLog(2), CancelRequested()}),
            v1::CANCEL_OUTCOME_TOO_LATE);
}

TEST(StartsBeforeCancelTest, IsCancelledIfTwilioCertainlyHasNothing) {  // A2, R6
  EXPECT_EQ(OutcomeAfter({CancelRequested()}), v1::CANCEL_OUTCOME_CANCELLED);
  EXPECT_EQ(OutcomeAfter({StartByLog(1), NotSent(1), CancelRequested()}),
            v1::CANCEL_OUTCOME_CANCELLED);
}

TEST(StartsBeforeCancelTest, WhatFollowsTheFirstCancellationDoesNotCount) {  // A2, R6
  EXPECT_EQ(OutcomeAfter({CancelRequested(), StartByLog(1), Accepted(1), CancelRequested()}),
            v1::CANCEL_OUTCOME_CANCELLED);
}

// The store has decided between these and the cancellation.
TEST(StartsBeforeCancelTest, StartsThatTheStoreGrantedDoNotCount) {  // A2
  EXPECT_EQ(OutcomeAfter({AttemptEvent(1, v1::ATTEMPT_STATUS_SENDING), CancelRequested()}),
            v1::CANCEL_OUTCOME_CANCELLED);
}

TEST(CancelOutcomeOfPlanTest, TheEndOfAnAttemptDoesNotEndThePlan) {
  const std::vector<records::v1::AttemptResult> refused{
      Refused(records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER)};
  EXPECT_EQ(CancelOutcomeOf({.results = refused}), v1::CANCEL_OUTCOME_ALREADY_ENDED);
  EXPECT_EQ(CancelOutcomeOf({.has_plan = true, .results = refused}), v1::CANCEL_OUTCOME_TOO_LATE);
  EXPECT_EQ(CancelOutcomeOf({.delivered = true, .has_plan = true, .results = refused}),
            v1::CANCEL_OUTCOME_ALREADY_ENDED)
      << "its goal was reached or missed";
  EXPECT_EQ(CancelOutcomeOf({.has_plan = true, .results = {}}), v1::CANCEL_OUTCOME_CANCELLED);
}

}  // namespace
}  // namespace tocsin
