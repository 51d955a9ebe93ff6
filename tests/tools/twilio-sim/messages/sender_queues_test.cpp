#include "tools/twilio-sim/messages/sender_queues.h"

#include <gmock/gmock.h>

#include "tools/twilio-sim/messages/opt_out.h"

namespace tocsin::sim {
namespace {

using std::chrono::seconds;

constexpr WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);

TEST(SenderQueuesTest, HasTwiliosDocumentedLimits) {  // Q2
  const auto rate = [](const char* sender) { return TwilioLimit(sender).segments_per_second; };
  EXPECT_EQ(rate("+15145550111"), 1);
  EXPECT_EQ(rate("+18005550111"), 3);
  EXPECT_EQ(rate("55555"), 100);
  EXPECT_EQ(rate("ALERTS"), 10);
  EXPECT_EQ(rate("+33612345678"), 10);
  EXPECT_EQ(rate("AC0123456789abcdef0123456789abcdef"), 1);
  EXPECT_EQ(TwilioLimit("+15145550111").queue_segments, 36'000);
  EXPECT_EQ(TwilioLimit("+18005550111").queue_segments, 108'000);
  EXPECT_EQ(TwilioLimit("55555").queue_segments, 3'600'000);
  EXPECT_EQ(TwilioLimit("AC0123456789abcdef0123456789abcdef").queue_segments, 86'400);
}

TEST(SenderQueuesTest, QueuesTenHoursOfSegmentsOfALongCode) {
  SenderQueues queues(true);
  const std::string sender = "+15145550111";
  EXPECT_FALSE(queues.Full(sender, 36'000, kNow));
  EXPECT_TRUE(queues.Full(sender, 36'001, kNow));
  EXPECT_EQ(queues.Reserve(sender, 35'999, kNow), kNow);
  EXPECT_FALSE(queues.Full(sender, 1, kNow));
  EXPECT_TRUE(queues.Full(sender, 2, kNow));
  EXPECT_FALSE(queues.Full(sender, 2, kNow + seconds(1)));
  EXPECT_EQ(queues.Reserve(sender, 1, kNow), kNow + seconds(35'999));
}

TEST(SenderQueuesTest, HasNoLimitsByDefaultAndAfterClear) {
  SenderQueues queues;
  queues.UseTwilioLimits(true);
  queues.Reserve("+15145550111", 100, kNow);
  EXPECT_GT(queues.Reserve("+15145550111", 1, kNow), kNow);
  queues.Clear();
  EXPECT_EQ(queues.Reserve("+15145550111", 100, kNow), kNow);
  EXPECT_EQ(queues.Reserve("+15145550111", 1, kNow), kNow);
}

TEST(OptOutTest, KeywordsAreWholeMessagesInAnyCase) {  // Q2
  for (const char* word : {"STOP", "stop", " Stop\n", "STOPALL", "unsubscribe", "CANCEL", "END",
                           "QUIT", "REVOKE", "OPTOUT"}) {
    EXPECT_EQ(KeywordOf(word, "+15145550111"), OptOutKeyword::kStop) << word;
  }
  for (const char* word : {"START", "yes", "UNSTOP"}) {
    EXPECT_EQ(KeywordOf(word, "+15145550111"), OptOutKeyword::kStart) << word;
  }
  for (const char* word : {"HELP", "info"}) {
    EXPECT_EQ(KeywordOf(word, "+15145550111"), OptOutKeyword::kHelp) << word;
  }
  for (const char* word : {"", "  ", "STOP it", "please stop", "STOPP", "ACK"}) {
    EXPECT_EQ(KeywordOf(word, "+15145550111"), OptOutKeyword::kNone) << word;
  }
  EXPECT_EQ(KeywordOf("YES", "+18885550111"), OptOutKeyword::kNone);
  EXPECT_EQ(KeywordOf("UNSTOP", "+18885550111"), OptOutKeyword::kStart);
}

}  // namespace
}  // namespace tocsin::sim
