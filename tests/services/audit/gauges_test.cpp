#include "services/audit/gauges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::audit {
namespace {

using testing::HasSubstr;
using testing::Not;

class CountAnswersTest : public testing::Test {
 protected:
  telemetry::Metrics metrics{"tocsin-audit"};
  const Answered answered = CountAnswers(metrics);
};

// O1
TEST_F(CountAnswersTest, ARedriveWhoseOutcomeIsNotKnownIsNotCountedAsAFaultOfOurs) {
  answered("RedriveDeadLetter", "OUTCOME_UNKNOWN", Micros(1));
  EXPECT_THAT(metrics.Text(),
              HasSubstr("tocsin_audit_answers_total{method=\"RedriveDeadLetter\",reason=\"OUTCOME_"
                        "UNKNOWN\"} 1"));
  EXPECT_THAT(metrics.Text(),
              HasSubstr("tocsin_audit_answers_total{method=\"RedriveDeadLetter\",reason=\"INTERNAL"
                        "\"} 0"));
}

// O1
TEST_F(CountAnswersTest, CallsAreMeasuredAndStreamsAreNot) {
  answered("GetAlert", "OK", Micros(3'000));
  answered("WatchAlert", "OK", Micros(3'000));
  EXPECT_THAT(metrics.Text(),
              HasSubstr("tocsin_audit_answer_seconds_count{method=\"GetAlert\"} 1"));
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("tocsin_audit_answer_seconds_count{method=\"Watch")));
}

}  // namespace
}  // namespace tocsin::audit
