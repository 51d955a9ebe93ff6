// What claims do when Redis is flushed, killed, frozen, rolled back.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "common/ports/clock.h"
#include "common/redis/claim_store.h"
#include "common/redis/gcra_pacer.h"
#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

// The store's time-out and what a busy machine adds to it.
constexpr std::chrono::seconds kPatience{5};

class FaultsTest : public ::testing::Test {
 protected:
  static ClaimRequest ARequest() {
    ClaimRequest request;
    request.name.set_alert_id(MakeUuidV5(RandomBytes(16)));
    request.name.set_step(1);
    request.name.set_try_(1);
    request.lease = std::chrono::seconds(35);
    request.work = "sealed";
    request.not_after = SystemClock().Now() + std::chrono::hours(1);
    return request;
  }
  void ExpectRefused(const Result<Claim>& claim, const std::string& word = "Redis") {
    ASSERT_FALSE(claim);
    EXPECT_EQ(claim.error().code, ErrorCode::kRedisUnavailable);
    EXPECT_NE(claim.error().message.find(word), std::string::npos) << claim.error().message;
  }

  PrivateRedis redis;
  std::atomic<int> losses = 0;
  Server server{redis.Use(), [this] { ++losses; }};
  ClaimStore claims{server};
};

TEST_F(FaultsTest, RefusesEverythingAfterAFlushUntilTheEpochIsAdopted) {
  ASSERT_TRUE(claims.Take(ARequest()));
  redis.Tell({"FLUSHALL"});
  for (int i = 0; i < 3; ++i) ExpectRefused(claims.Take(ARequest()), "epoch changed");
  EXPECT_FALSE(GcraPacer(server).TakeTurn("s", 1, 1, SystemClock().Now()));
  EXPECT_EQ(losses, 1) << "main is told once";
  ASSERT_TRUE(server.AdoptEpoch());
  EXPECT_TRUE(claims.Take(ARequest()));
  redis.Tell({"FLUSHALL"});
  ExpectRefused(claims.Take(ARequest()), "epoch changed");
  EXPECT_EQ(losses, 2);
}

TEST_F(FaultsTest, NoticesAFlushThatHappenedWhileTheProcessWasAway) {
  ASSERT_TRUE(server.Ping());
  Settings settings = redis.Use();
  settings.known_epoch = server.Epoch();
  redis.Tell({"FLUSHALL"});
  Server returned(settings);
  ExpectRefused(ClaimStore(returned).Take(ARequest()), "epoch changed");
}

TEST_F(FaultsTest, SurvivesAFlushOfTheScripts) {
  ASSERT_TRUE(claims.Take(ARequest()));
  redis.Tell({"SCRIPT", "FLUSH"});
  EXPECT_TRUE(claims.Take(ARequest()));
}

TEST_F(FaultsTest, RemembersClaimsAcrossAKillAndARestart) {
  redis.Tell({"CONFIG", "SET", "appendfsync", "always"});
  const ClaimRequest request = ARequest();
  ASSERT_TRUE(claims.Take(request));
  redis.Kill();
  ExpectRefused(claims.Take(request));
  redis.Start();
  const auto again = claims.Take(request);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->state, Claim::State::kBusy);
  EXPECT_EQ(losses, 0);
}

// With `everysec` Redis puts off writing to its file while an fsync runs, so a kill may lose what
// it has answered. Then nothing is answered any more; a second grant would be a second message.
TEST_F(FaultsTest, GrantsNothingTwiceWhenAKillLostTheEndOfTheFile) {
  const ClaimRequest request = ARequest();
  ASSERT_TRUE(claims.Take(request));
  redis.Kill();
  redis.Start();
  const auto again = claims.Take(request);
  if (again) {
    EXPECT_EQ(again->state, Claim::State::kBusy);
  } else {
    ExpectRefused(again, "epoch changed");
    EXPECT_EQ(losses, 1);
  }
}

TEST_F(FaultsTest, AnswersWithinItsTimeOutWhileRedisIsFrozenAndRecovers) {
  ASSERT_TRUE(claims.Take(ARequest()));
  redis.Freeze();
  const SteadyTime began = std::chrono::steady_clock::now();
  ExpectRefused(claims.Take(ARequest()));
  EXPECT_LT(std::chrono::steady_clock::now() - began, kPatience);
  redis.Thaw();
  EXPECT_TRUE(claims.Take(ARequest()));
}

// A restart may lose the end of the append-only file; the epoch at its begin survives that.
TEST_F(FaultsTest, NoticesARestartThatLostTheLastPromises) {
  redis.Tell({"CONFIG", "SET", "appendfsync", "always"});
  ASSERT_TRUE(claims.Take(ARequest()));
  Server other(redis.Use());
  ASSERT_TRUE(other.Ping());
  const ClaimRequest lost = ARequest();
  ASSERT_TRUE(claims.Take(lost));
  redis.Kill();
  for (const auto& file : std::filesystem::recursive_directory_iterator(redis.folder())) {
    const std::string name = file.path().filename();
    if (name.find(".incr.aof") == std::string::npos || !file.is_regular_file()) continue;
    std::ifstream in(file.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    // The last transaction is the last claim's; without it the file is as a crash may leave it.
    if (const size_t last = text.rfind("*1\r\n$5\r\nMULTI"); last != std::string::npos)
      std::filesystem::resize_file(file.path(), last);
  }
  redis.Start();
  ExpectRefused(claims.Take(lost), "epoch changed");
  EXPECT_EQ(losses, 1);
  ExpectRefused(ClaimStore(other).Take(lost), "epoch changed");
}

TEST_F(FaultsTest, StartsWithoutRedisAndFindsItLater) {
  redis.Kill();
  Server late(redis.Use());
  ClaimStore store(late);
  ExpectRefused(store.Take(ARequest()));
  redis.Start();
  EXPECT_TRUE(store.Take(ARequest()));
}

TEST_F(FaultsTest, LetsTheStateOfAnAlertLiveUntil48HoursAfterItsHorizon) {
  const ClaimRequest request = ARequest();
  const auto claim = claims.Take(request);
  ASSERT_TRUE(claim);
  v1::Receipt receipt;
  receipt.set_outcome(v1::RECEIPT_OUTCOME_ACCEPTED);
  receipt.set_provider_sid("SM1");
  ASSERT_TRUE(claims.Keep(request.name, claim->fence, receipt));
  const std::int64_t wanted = ToUnixMicros(request.not_after + std::chrono::hours(48)) / 1000;
  const Keys keys("tocsin");
  const std::int64_t alert =
      redis.Tell({"PEXPIRETIME", keys.Alert(request.name.alert_id())}).integer;
  EXPECT_NEAR(static_cast<double>(alert), static_cast<double>(wanted), 1.0);
  const std::int64_t sid = redis.Tell({"PEXPIRETIME", keys.Sid("SM1")}).integer;
  EXPECT_NEAR(static_cast<double>(sid), static_cast<double>(wanted), 60'000.0);
}

}  // namespace
}  // namespace tocsin::redis
