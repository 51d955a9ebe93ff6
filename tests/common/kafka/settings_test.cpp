#include "common/kafka/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/kafka/group_consumer.h"
#include "common/kafka/projection_consumer.h"

namespace tocsin::kafka {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

KafkaSettings ValidSettings() {
  KafkaSettings settings;
  settings.bootstrap_servers = "127.0.0.1:1";
  return settings;
}

TEST(KafkaSettingsTest, NamesAPropertyThatIsNotASecurityProperty) {
  KafkaSettings settings = ValidSettings();
  settings.security["acks"] = Secret("0");
  const Status status = Validate(settings);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(status.error().field, "acks");
}

TEST(KafkaSettingsTest, ErrorsDoNotContainValues) {
  KafkaSettings settings = ValidSettings();
  settings.security["security.protocol"] = Secret("planted-secret");
  const Status status = Validate(settings);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().field, "security.protocol");
  EXPECT_THAT(status.error().message, Not(HasSubstr("planted-secret")));
}

TEST(KafkaSettingsTest, RequiresABroker) { EXPECT_FALSE(Validate(KafkaSettings{})); }

TEST(KafkaSettingsTest, AcceptsSecurityProperties) {
  KafkaSettings settings = ValidSettings();
  settings.security["security.protocol"] = Secret("ssl");
  EXPECT_TRUE(Validate(settings));
}

class FetchProfileTest : public testing::TestWithParam<std::pair<FetchProfile, std::string>> {};

TEST_P(FetchProfileTest, IsCheckedByTheConsumerOfAGroup) {
  const auto consumer = GroupConsumer::Start(
      ValidSettings(), {.group = "g", .topics = {"t"}, .fetch = GetParam().first},
      [](IncomingRecord&&, Completion) { return true; });
  ASSERT_FALSE(consumer);
  EXPECT_EQ(consumer.error().field, GetParam().second);
}

TEST_P(FetchProfileTest, IsCheckedByTheProjection) {
  const auto consumer = ProjectionConsumer::Start(
      ValidSettings(), {.group = "g", .topics = {"t"}, .fetch = GetParam().first}, {});
  ASSERT_FALSE(consumer);
  EXPECT_EQ(consumer.error().field, GetParam().second);
}

INSTANTIATE_TEST_SUITE_P(
    Invalid, FetchProfileTest,
    testing::Values(std::pair(FetchProfile{.min_bytes = 0}, "fetch.min.bytes"),
                    std::pair(FetchProfile{.max_wait = std::chrono::milliseconds(-1)},
                              "fetch.wait.max.ms")));

}  // namespace
}  // namespace tocsin::kafka
