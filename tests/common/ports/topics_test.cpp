#include "common/ports/topics.h"

#include <gtest/gtest.h>

#include <set>

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

TEST(TopicsTest, EveryWrittenTopicIsCreated) {
  const Topics topics("x");
  std::set<std::string> created;
  for (const TopicSpec& topic : topics.All()) created.insert(topic.name);
  for (const auto& names :
       {topics.WrittenByIngress(), topics.WrittenByAudit(), topics.WrittenByWorker(v1::CHANNEL_SMS),
        topics.WrittenByWorker(v1::CHANNEL_VOICE)})
    for (const std::string& name : names) EXPECT_TRUE(created.contains(name)) << name;
}

TEST(TopicsTest, EveryTopicButTheRegistryHasAWriter) {
  const Topics topics("x");
  std::set<std::string> written;
  for (const auto& names :
       {topics.WrittenByIngress(), topics.WrittenByAudit(), topics.WrittenByWorker(v1::CHANNEL_SMS),
        topics.WrittenByWorker(v1::CHANNEL_VOICE)})
    written.insert(names.begin(), names.end());
  for (const TopicSpec& topic : topics.All())
    EXPECT_EQ(written.contains(topic.name), topic.name != topics.Registry()) << topic.name;
}

}  // namespace
}  // namespace tocsin
