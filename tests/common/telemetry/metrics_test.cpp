#include "common/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "common/telemetry/log.h"

namespace tocsin::telemetry {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

TEST(MetricsDeathTest, ADuplicateOrInvalidNameAborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Metrics metrics("tocsin-test");
  metrics.Counter("tocsin_x_total", "X.");
  EXPECT_DEATH(metrics.Gauge("tocsin_x_total", "X."), "");
  EXPECT_DEATH(metrics.Counter("not a name", "X."), "");
}

TEST(MetricsTest, TheSameNameAndLabelsAreTheSameMetric) {
  Metrics metrics("tocsin-test");
  Counter& sent = metrics.Counter("tocsin_sent_total", "Sent.", {{"priority", "high"}});
  EXPECT_EQ(&sent, &metrics.Counter("tocsin_sent_total", "Sent.", {{"priority", "high"}}));
  EXPECT_NE(&sent, &metrics.Counter("tocsin_sent_total", "Sent.", {{"priority", "bulk"}}));
  sent.Increment();
  sent.Increment(2);
  sent.Increment(-5);
  EXPECT_EQ(sent.Value(), 3);
  EXPECT_THAT(metrics.Text(), HasSubstr("tocsin_sent_total{priority=\"high\"} 3"));
  EXPECT_THAT(metrics.Text(), HasSubstr("tocsin_sent_total{priority=\"bulk\"} 0"));
}

TEST(MetricsTest, TextContainsBuildAndProcessMetrics) {  // O1
  Metrics metrics("tocsin-test");
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("tocsin_build_info{"));
  EXPECT_THAT(text, HasSubstr("service=\"tocsin-test\""));
  EXPECT_THAT(text, HasSubstr("version=\"" + std::string(Version()) + "\""));
  EXPECT_THAT(text, HasSubstr("# TYPE process_cpu_seconds_total counter"));
  for (const char* name : {"process_resident_memory_bytes", "process_open_fds", "process_max_fds",
                           "process_threads", "process_start_time_seconds"})
    EXPECT_THAT(text, ContainsRegex("\n" + std::string(name) + " [1-9]")) << name;
  EXPECT_THAT(text, HasSubstr("\ntocsin_log_lines_lost_total "));
}

TEST(MetricsTest, LabelsAreEscaped) {
  Metrics metrics("a\"b\\c\nd");
  EXPECT_THAT(metrics.Text(), HasSubstr("service=\"a\\\"b\\\\c\\nd\""));
}

TEST(MetricsTest, AnObservationOnABucketBoundaryCountsInThatBucket) {
  Metrics metrics("tocsin-test");
  Histogram& seconds =
      metrics.Histogram("tocsin_webhook_seconds", "Response time.", kWebhookSeconds);
  seconds.Observe(std::chrono::milliseconds(5));
  seconds.Observe(2.0);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("tocsin_webhook_seconds_bucket{le=\"0.005\"} 1"));
  EXPECT_THAT(text, HasSubstr("tocsin_webhook_seconds_bucket{le=\"1\"} 1"));
  EXPECT_THAT(text, HasSubstr("tocsin_webhook_seconds_bucket{le=\"+Inf\"} 2"));
}

TEST(MetricsTest, StandardBucketsAreAscending) {
  for (const Buckets* buckets : {&kRequestSeconds, &kWebhookSeconds, &kSmsAcceptSeconds,
                                 &kDeliverySeconds, &kCallStartSeconds})
    EXPECT_TRUE(std::is_sorted(buckets->begin(), buckets->end(), std::less_equal<>()));
}

TEST(MetricsTest, CollectCallbacksRunBeforeEveryText) {
  Metrics metrics("tocsin-test");
  Gauge& depth = metrics.Gauge("tocsin_queue_depth", "Waiting.");
  int calls = 0;
  metrics.OnCollect([&] { depth.Set(++calls); });
  EXPECT_THAT(metrics.Text(), HasSubstr("tocsin_queue_depth 1"));
  EXPECT_THAT(metrics.Text(), HasSubstr("tocsin_queue_depth 2"));
}

TEST(MetricsTest, IsThreadSafe) {
  Metrics metrics("tocsin-test");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&metrics] {
      for (int i = 0; i < 1000; ++i) metrics.Counter("tocsin_x_total", "X.").Increment();
      EXPECT_FALSE(metrics.Text().empty());
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.Counter("tocsin_x_total", "X.").Value(), 4000);
}

}  // namespace
}  // namespace tocsin::telemetry
