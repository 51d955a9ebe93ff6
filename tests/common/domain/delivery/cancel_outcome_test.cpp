#include "common/domain/delivery/cancel_outcome.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

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
        Row{"AfterThePolicyEndedTheDoubt",
            false,
            false,
            false,
            {Outcome(records::v1::ATTEMPT_OUTCOME_UNRESOLVED)},
            v1::CANCEL_OUTCOME_ALREADY_ENDED},
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

}  // namespace
}  // namespace tocsin
