#include "common/kafka/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tocsin::kafka
