#include "common/ports/topics.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

// Emergencies without Redis, events and consents depend on it (docs/decisions/0019).
TEST(TopicsTest, KeepTheOrderOfKeysExceptWebhooksAndTheLanesBelowEmergency) {
  const Topics topics("x");
  for (const TopicSpec& topic : topics.All()) {
    bool spread = topic.name == topics.Webhooks();
    for (const v1::Channel channel : {v1::CHANNEL_SMS, v1::CHANNEL_VOICE})
      for (const v1::Priority priority :
           {v1::PRIORITY_HIGH, v1::PRIORITY_NORMAL, v1::PRIORITY_BULK})
        spread = spread || topic.name == topics.Lane(channel, priority);
    EXPECT_EQ(topics.KeepsKeyOrder(topic.name), !spread) << topic.name;
  }
}

TEST(TopicsTest, KeepTheOrderOfKeysUnderAnotherPrefix) {
  EXPECT_TRUE(Topics("x").KeepsKeyOrder(Topics("y").Webhooks()));
}

}  // namespace
}  // namespace tocsin
