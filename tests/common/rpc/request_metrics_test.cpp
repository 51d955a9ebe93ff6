#include "common/rpc/request_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::rpc {
namespace {

using testing::HasSubstr;
using testing::Not;

class RequestMetricsTest : public testing::Test {
 protected:
  telemetry::Metrics metrics{"tocsin-test"};
  const RequestMetrics requests{
      metrics,
      {{"AlertService", {{"Enqueue"}, {"EnqueueStream", /*timed=*/false}}}},
      telemetry::kRequestSeconds};
};

TEST_F(RequestMetricsTest, HasASeriesForEachResultFromTheStart) {  // O1
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("grpc_server_requests_total{code=\"OK\",method=\"Enqueue\","
                              "reason=\"\",service=\"AlertService\"} 0"));
  EXPECT_THAT(text, HasSubstr("grpc_server_requests_total{code=\"UNAVAILABLE\",method=\"Enqueue\","
                              "reason=\"SHUTTING_DOWN\",service=\"AlertService\"} 0"));
}

TEST_F(RequestMetricsTest, CountsByCodeAndReason) {  // O1
  requests.Count("Enqueue", std::nullopt);
  requests.Count("Enqueue", ErrorCode::kTextTooLong);
  requests.Count("Enqueue", ErrorCode::kTextTooLong);
  requests.Count("Unknown", std::nullopt);
  const std::string text = metrics.Text();
  EXPECT_THAT(text,
              HasSubstr("code=\"OK\",method=\"Enqueue\",reason=\"\",service=\"AlertService\"} "
                        "1"));
  EXPECT_THAT(text,
              HasSubstr("code=\"INVALID_ARGUMENT\",method=\"Enqueue\",reason=\"TEXT_TOO_LONG\","
                        "service=\"AlertService\"} 2"));
  EXPECT_THAT(text, Not(HasSubstr("Unknown")));
}

TEST_F(RequestMetricsTest, TimesOnlyTimedMethods) {  // O1
  requests.Observe("Enqueue", std::chrono::milliseconds(3));
  requests.Observe("EnqueueStream", std::chrono::milliseconds(3));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("grpc_server_request_seconds_count{method=\"Enqueue\","
                              "service=\"AlertService\"} 1"));
  EXPECT_THAT(text, Not(HasSubstr("grpc_server_request_seconds_count{method=\"EnqueueStream\"")));
}

}  // namespace
}  // namespace tocsin::rpc
