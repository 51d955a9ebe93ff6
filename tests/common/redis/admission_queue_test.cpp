#include "common/redis/admission_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>

#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "common/ports/clock.h"
#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

constexpr std::chrono::seconds kPatience{5};

AdmitRequest ARequest(const std::string& key = {}) {
  return {.alert_id = MakeUuidV5(RandomBytes(16)),
          .client_id = "client",
          .idempotency_digest = key,
          .request_digest = std::string(32, 'r'),
          .nonce = RandomBytes(16),
          .accepted = SystemClock().Now(),
          .not_after = SystemClock().Now() + std::chrono::hours(1)};
}

// Admits `count` alerts at once and counts the answers by what they say.
struct Tally {
  explicit Tally(std::ptrdiff_t count) : left(count) {}
  std::function<void(Result<Admission>)> Counter() {
    return [this](const Result<Admission>& admission) {
      if (admission)
        ++admitted;
      else if (admission.error().code == ErrorCode::kOverloaded)
        ++overloaded;
      else
        ++unavailable;
      left.count_down();
    };
  }
  std::latch left;
  std::atomic<int> admitted = 0;
  std::atomic<int> overloaded = 0;
  std::atomic<int> unavailable = 0;
};

TEST(AdmissionQueueTest, AnswersEveryRequestOfACrowdOnce) {
  PrivateRedis redis;
  Server server(redis.Use());
  AdmissionQueue queue(server);
  constexpr int kCrowd = 2'000;
  Tally tally(kCrowd);
  for (int i = 0; i < kCrowd; ++i)
    queue.Admit(ARequest(i % 2 == 0 ? std::string() : RandomBytes(32)), tally.Counter());
  tally.left.wait();
  EXPECT_EQ(tally.admitted, kCrowd);
}

TEST(AdmissionQueueTest, LearnsItsScriptsAgainAfterTheyWereFlushed) {
  PrivateRedis redis;
  Server server(redis.Use());
  AdmissionQueue queue(server);
  for (int round = 0; round < 2; ++round) {
    Tally tally(10);
    for (int i = 0; i < 10; ++i) queue.Admit(ARequest(RandomBytes(32)), tally.Counter());
    tally.left.wait();
    EXPECT_EQ(tally.admitted, 10);
    redis.Tell({"SCRIPT", "FLUSH"});
  }
}

TEST(AdmissionQueueTest, AnswersAllWithinTheTimeOutWhileRedisIsFrozenAndRecovers) {
  PrivateRedis redis;
  Server server(redis.Use());
  AdmissionQueue queue(server);
  constexpr int kCrowd = 3'000;  // several rounds: the later ones must not wait one time-out each
  redis.Freeze();
  const SteadyTime began = std::chrono::steady_clock::now();
  Tally refused(kCrowd);
  for (int i = 0; i < kCrowd; ++i) queue.Admit(ARequest(), refused.Counter());
  refused.left.wait();
  EXPECT_EQ(refused.unavailable, kCrowd);
  EXPECT_LT(std::chrono::steady_clock::now() - began, kPatience);
  redis.Thaw();
  Tally served(1);
  queue.Admit(ARequest(), served.Counter());
  served.left.wait();
  EXPECT_EQ(served.admitted, 1);
}

TEST(AdmissionQueueTest, AnswersUnavailableWhileRedisIsDownAndFindsItAgain) {
  PrivateRedis redis({"--appendfsync", "always"});
  Server server(redis.Use());
  AdmissionQueue queue(server);
  const auto ask = [&queue] {
    Tally tally(1);
    queue.Admit(ARequest(), tally.Counter());
    tally.left.wait();
    return tally.admitted == 1;
  };
  EXPECT_TRUE(ask());
  redis.Kill();
  EXPECT_FALSE(ask());
  redis.Start();
  EXPECT_TRUE(ask());
}

TEST(AdmissionQueueTest, RefusesAtItsBound) {
  PrivateRedis redis;
  Server server(redis.Use());
  redis.Freeze();
  AdmissionQueue queue(server, 1, 4);
  constexpr int kCrowd = 400;
  Tally tally(kCrowd);
  for (int i = 0; i < kCrowd; ++i) queue.Admit(ARequest(), tally.Counter());
  EXPECT_GT(tally.overloaded, 0);
  EXPECT_LE(queue.Waiting(), 4u);
  tally.left.wait();
  EXPECT_EQ(tally.overloaded + tally.unavailable, kCrowd);
}

TEST(AdmissionQueueTest, AnswersWhatItTookBeforeItEnds) {
  PrivateRedis redis;
  Server server(redis.Use());
  constexpr int kCrowd = 1'000;
  Tally tally(kCrowd);
  {
    AdmissionQueue queue(server);
    redis.Freeze();
    for (int i = 0; i < kCrowd; ++i) queue.Admit(ARequest(), tally.Counter());
  }
  EXPECT_TRUE(tally.left.try_wait());
}

TEST(AdmissionQueueTest, GivesEveryAlertAnEndOfItsLife) {
  PrivateRedis redis;
  Server server(redis.Use());
  std::vector<std::string> ids;
  {
    AdmissionQueue queue(server);
    for (const std::string& key : {std::string(), RandomBytes(32)}) {
      const AdmitRequest request = ARequest(key);
      ids.push_back(request.alert_id);
      Tally tally(1);
      queue.Admit(request, tally.Counter());
      tally.left.wait();
    }
    ids.push_back("gone");
    for (const std::string& id : ids) queue.Confirm(id, {}, [] {});
  }
  const Keys keys("tocsin");
  for (const std::string& id : ids)
    EXPECT_GT(redis.Tell({"PTTL", keys.Alert(id)}).integer, 0) << id;
}

}  // namespace
}  // namespace tocsin::redis
