#include "tools/twilio-sim/messages/messages.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tools/twilio-sim/messages/outcomes.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);

class MessagesTest : public testing::Test {
 protected:
  static MessageDraft ADraft(const std::string& to = "+15145550123") {
    return {.to = to, .from = "+15017122661", .body = "hello", .segments = 1};
  }

  std::vector<std::string> NamesUntil(WallTime when) {
    std::vector<std::string> names;
    for (const StatusChange& change : messages.Advance(when, queues, pool_of)) {
      names.emplace_back(NameOf(change.status));
    }
    return names;
  }

  SenderQueues queues;
  std::vector<std::string> pool = {"+15145550111"};
  Messages::PoolOf pool_of = [this](size_t) -> const std::vector<std::string>& { return pool; };
  Messages messages{7, Timing{}, 100};
};

TEST_F(MessagesTest, GoesFromQueuedToDelivered) {
  const std::uint64_t number = messages.Create(ADraft(), {}, queues, kNow).number;
  EXPECT_EQ(messages.Find(number)->status, Status::kQueued);
  EXPECT_THAT(NamesUntil(kNow), IsEmpty());
  EXPECT_THAT(NamesUntil(kNow + seconds(1)), ElementsAre("sending", "sent", "delivered"));
  EXPECT_TRUE(messages.Find(number)->Final());
}

TEST_F(MessagesTest, EndsWithItsOutcome) {
  const Outcome undelivered{.last = Status::kUndelivered, .error_code = 30003};
  const std::uint64_t number = messages.Create(ADraft(), undelivered, queues, kNow).number;
  EXPECT_THAT(NamesUntil(kNow + seconds(1)), ElementsAre("sending", "sent", "undelivered"));
  EXPECT_EQ(messages.Find(number)->error_code, 30003);
  messages.Create(ADraft(), {.last = Status::kFailed, .error_code = 30007}, queues, kNow);
  EXPECT_THAT(NamesUntil(kNow + seconds(1)), ElementsAre("sending", "failed"));
  messages.Create(ADraft(), {.last = Status::kSent}, queues, kNow);
  EXPECT_THAT(NamesUntil(kNow + seconds(1)), ElementsAre("sending", "sent"));
}

TEST_F(MessagesTest, IsAcceptedAndLaterGetsASenderOfItsService) {
  MessageDraft draft = ADraft();
  draft.from.clear();
  draft.service = 0;
  const std::uint64_t number = messages.Create(draft, {}, queues, kNow).number;
  EXPECT_EQ(messages.Find(number)->status, Status::kAccepted);
  EXPECT_EQ(messages.Find(number)->from, "");
  EXPECT_THAT(NamesUntil(kNow + seconds(1)), ElementsAre("queued", "sending", "sent", "delivered"));
  EXPECT_EQ(messages.Find(number)->from, "+15145550111");
}

TEST_F(MessagesTest, FailsWhenItsValidityExpiresInTheQueue) {
  MessageDraft draft = ADraft();
  draft.validity = seconds(5);
  const std::uint64_t number =
      messages.Create(draft, {.queue = std::chrono::minutes(1)}, queues, kNow).number;
  EXPECT_THAT(NamesUntil(kNow + milliseconds(4999)), IsEmpty());
  EXPECT_THAT(NamesUntil(kNow + seconds(5)), ElementsAre("failed"));
  EXPECT_EQ(messages.Find(number)->error_code, 30036);
}

TEST_F(MessagesTest, AreSentAtTheRateOfTheirSender) {
  queues.Limit("+15017122661", {.segments_per_second = 1, .queue_segments = 100});
  for (int i = 0; i < 10; ++i) {
    messages.Create(ADraft(), {.queue = milliseconds(0)}, queues, kNow);
  }
  std::vector<std::string> names = NamesUntil(kNow + milliseconds(4500));
  EXPECT_EQ(std::count(names.begin(), names.end(), "sending"), 5);
}

TEST_F(MessagesTest, CanBeCanceledOnlyWhileScheduled) {
  MessageDraft draft = ADraft();
  draft.service = 0;
  draft.send_time = kNow + std::chrono::hours(1);
  const std::uint64_t scheduled = messages.Create(draft, {}, queues, kNow).number;
  const std::uint64_t queued = messages.Create(ADraft(), {}, queues, kNow).number;
  EXPECT_TRUE(messages.Cancel(scheduled, kNow));
  EXPECT_FALSE(messages.Cancel(queued, kNow));
  EXPECT_THAT(NamesUntil(kNow), ElementsAre("canceled"));
  EXPECT_THAT(NamesUntil(kNow + std::chrono::hours(2)),
              ElementsAre("sending", "sent", "delivered"));
}

TEST_F(MessagesTest, AreReproducibleWithASeed) {
  Messages again(7, Timing{}, 100);
  Messages other(8, Timing{}, 100);
  for (int i = 0; i < 20; ++i) {
    const std::string sid = messages.SidOf(messages.Create(ADraft(), {}, queues, kNow));
    EXPECT_EQ(sid, again.SidOf(again.Create(ADraft(), {}, queues, kNow)));
    EXPECT_NE(sid, other.SidOf(other.Create(ADraft(), {}, queues, kNow)));
    EXPECT_TRUE(IsSid(sid, "SM"));
    EXPECT_EQ(NumberOf(messages.Random(), sid), messages.Store().Last());
    EXPECT_FALSE(NumberOf(other.Random(), sid));
  }
  EXPECT_EQ(messages.NextDue(), again.NextDue());
  EXPECT_NE(messages.NextDue(), other.NextDue());
}

TEST_F(MessagesTest, KeepsTheNewestAndCountsDroppedMessages) {
  Messages few(7, Timing{}, 3);
  for (int i = 0; i < 5; ++i) few.Create(ADraft(), {}, queues, kNow);
  EXPECT_EQ(few.Store().Dropped(), 2U);
  EXPECT_EQ(few.Find(2), nullptr);
  EXPECT_NE(few.Find(3), nullptr);
  EXPECT_THAT(few.Advance(kNow + seconds(1), queues, pool_of), testing::SizeIs(9));
}

TEST_F(MessagesTest, ContinuesSidsAfterAResetUnlessASeedIsGiven) {
  const std::string first = messages.SidOf(messages.Create(ADraft(), {}, queues, kNow));
  messages.Clear(std::nullopt);
  EXPECT_EQ(messages.Find(1), nullptr);
  EXPECT_NE(messages.SidOf(messages.Create(ADraft(), {}, queues, kNow)), first);
  messages.Clear(7);
  EXPECT_EQ(messages.SidOf(messages.Create(ADraft(), {}, queues, kNow)), first);
}

TEST(OutcomesTest, FollowScriptsAndMagicNumbers) {
  Outcomes outcomes;
  EXPECT_EQ(outcomes.Next("+15145550123").last, Status::kDelivered);
  EXPECT_EQ(outcomes.Next("+15005553003").last, Status::kUndelivered);
  EXPECT_EQ(outcomes.Next("+15005553003").error_code, 30003);
  EXPECT_EQ(outcomes.Next("+15005554007").last, Status::kFailed);
  EXPECT_EQ(outcomes.Next("+15005555000").last, Status::kSent);
  EXPECT_EQ(outcomes.Next("+15005557008").error_code, 30008);
  EXPECT_EQ(outcomes.Next("+15005557008").last, Status::kDelivered);
  outcomes.SetScript("+15145550123", {{.last = Status::kUndelivered, .error_code = 30005}, {}});
  EXPECT_EQ(outcomes.Next("+15145550123").error_code, 30005);
  EXPECT_EQ(outcomes.Next("+15145550123").last, Status::kDelivered);
  EXPECT_EQ(outcomes.Next("+15145550123").last, Status::kDelivered);
}

}  // namespace
}  // namespace tocsin::sim
