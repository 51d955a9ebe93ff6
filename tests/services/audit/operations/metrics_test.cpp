#include "services/audit/operations/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::audit {
namespace {

using testing::HasSubstr;
using testing::Not;

class AuditMetricsTest : public testing::Test {
 protected:
  telemetry::Metrics metrics{"tocsin-audit"};
  AuditMetrics audit{metrics, /*writers=*/2};
};

// O1
TEST_F(AuditMetricsTest, CountsARedriveWithUnknownOutcomeByItsReason) {
  audit.OnRequest("RedriveDeadLetter", ErrorCode::kOutcomeUnknown, Micros(1));
  EXPECT_THAT(metrics.Text(), HasSubstr("method=\"RedriveDeadLetter\",reason=\"OUTCOME_UNKNOWN\","
                                        "service=\"AdminService\"} 1"));
  EXPECT_THAT(metrics.Text(), HasSubstr("method=\"RedriveDeadLetter\",reason=\"INTERNAL\","
                                        "service=\"AdminService\"} 0"));
}

// O1
TEST_F(AuditMetricsTest, TimesRequestsButNotStreams) {
  audit.OnRequest("GetAlert", std::nullopt, Micros(3'000));
  audit.OnRequest("WatchAlert", std::nullopt, Micros(3'000));
  EXPECT_THAT(metrics.Text(),
              HasSubstr("grpc_server_request_seconds_count{method=\"GetAlert\",service="
                        "\"StatusService\"} 1"));
  EXPECT_THAT(metrics.Text(),
              Not(HasSubstr("grpc_server_request_seconds_count{method=\"WatchAlert")));
}

// O1
TEST_F(AuditMetricsTest, HasASeriesForEachStateBeforeTheFirstCount) {
  EXPECT_THAT(metrics.Text(), HasSubstr("tocsin_alerts{state=\"delivered\"} 0"));
  AlertCounts counts;
  counts.states = StateCounts{.alerts = {{"delivered", 3}}, .mismatches = 1};
  audit.OnCounts(counts);
  EXPECT_THAT(metrics.Text(), HasSubstr("tocsin_alerts{state=\"delivered\"} 3"));
  EXPECT_THAT(metrics.Text(), HasSubstr("tocsin_alerts{state=\"pending\"} 0"));
  EXPECT_THAT(metrics.Text(), HasSubstr("tocsin_alert_count_mismatch 1"));
}

// O1
TEST_F(AuditMetricsTest, ACountThatFailedKeepsItsLastValue) {
  AlertCounts counts;
  counts.overdue = 1;
  counts.states = StateCounts{.alerts = {}, .mismatches = 1};
  audit.OnCounts(counts);
  counts.overdue = 2;
  counts.states.reset();
  audit.OnCounts(counts);
  EXPECT_THAT(metrics.Text(), HasSubstr("tocsin_alerts_overdue 2"));
  EXPECT_THAT(metrics.Text(), HasSubstr("tocsin_alert_count_mismatch 1"));
}

}  // namespace
}  // namespace tocsin::audit
