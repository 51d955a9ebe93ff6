#include "common/telemetry/readiness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tocsin::telemetry {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class ReadinessTest : public testing::Test {
 protected:
  WallTime now = FromUnixMicros(1'763'688'065'000'000);
  Readiness readiness{[this] { return now; }};
};

TEST_F(ReadinessTest, IsNotReadyUntilEveryDependencyIsUp) {  // O2
  readiness.Declare("kafka");
  readiness.Declare("redis");
  readiness.Set("kafka", true);
  EXPECT_FALSE(readiness.ready());
  readiness.Set("redis", true);
  EXPECT_TRUE(readiness.ready());
  readiness.Set("kafka", false, "broker gone");
  EXPECT_FALSE(readiness.ready());
}

TEST_F(ReadinessTest, AnInformativeDependencyNeverMakesItNotReady) {  // O2
  readiness.Declare("kafka");
  readiness.Declare("twilio", DependencyRole::kInformative);
  readiness.Set("kafka", true);
  readiness.Set("twilio", false, "connect timed out");
  EXPECT_TRUE(readiness.ready());
  EXPECT_THAT(ReadyJson(readiness), Not(HasSubstr("twilio")));
  const json health = json::parse(HealthJson(readiness, "tocsin-test"));
  EXPECT_EQ(health["status"], "degraded");
  EXPECT_EQ(health["dependencies"][1]["name"], "twilio");
  EXPECT_EQ(health["dependencies"][1]["detail"], "connect timed out");
}

TEST_F(ReadinessTest, IsNotReadyAgainAfterDraining) {
  readiness.Set("kafka", true);
  readiness.StartDraining();
  readiness.Set("kafka", true);
  EXPECT_FALSE(readiness.ready());
  EXPECT_EQ(json::parse(ReadyJson(readiness))["draining"], true);
}

TEST_F(ReadinessTest, SinceIsTheTimeOfTheLastChange) {
  readiness.Declare("kafka");
  now += std::chrono::seconds(1);
  readiness.Set("kafka", true);
  now += std::chrono::seconds(1);
  readiness.Set("kafka", true, "still");
  const json ready = json::parse(ReadyJson(readiness));
  EXPECT_EQ(ready["ready"], true);
  EXPECT_EQ(ready["dependencies"][0]["since"], "2025-11-21T01:21:06.000000Z");
  EXPECT_EQ(ready["dependencies"][0]["detail"], "still");
}

TEST_F(ReadinessTest, DetailsAreScrubbedTruncatedAndValidJson) {  // P3
  readiness.Set("redis", false, "no +15017122661 \xff " + std::string(10'000, 'x'));
  const std::string text = ReadyJson(readiness);
  EXPECT_THAT(text, Not(HasSubstr("5017")));
  EXPECT_LT(text.size(), 2 * kDetailLimit);
  EXPECT_THAT(json::parse(text)["dependencies"], SizeIs(1));
}

TEST_F(ReadinessTest, IsReadyWithoutDependencies) { EXPECT_TRUE(readiness.ready()); }

}  // namespace
}  // namespace tocsin::telemetry
