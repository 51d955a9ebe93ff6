// Claims when Redis is flushed, killed, paused, or has lost writes.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "common/ports/clock.h"
#include "common/redis/claim_store_restorer.h"
#include "common/redis/gcra_pacer.h"
#include "common/redis/unreconciled_attempt_store.h"
#include "tests/common/redis/blocking_claims.h"
#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

// The request timeout, with a margin for a busy machine.
constexpr std::chrono::seconds kTimeoutWithMargin{5};

class FaultsTest : public ::testing::Test {
 protected:
  static ClaimRequest ARequest() {
    ClaimRequest request;
    request.attempt.set_alert_id(MakeUuidV5(RandomBytes(16)));
    request.attempt.set_step(1);
    request.attempt.set_attempt(1);
    request.lease = std::chrono::seconds(35);
    request.work = "work record";
    request.expire_time = SystemClock().Now() + std::chrono::hours(1);
    return request;
  }
  void ExpectRefused(const Result<ClaimReply>& claim, const std::string& word = "Redis") {
    ASSERT_FALSE(claim);
    EXPECT_EQ(claim.error().code, ErrorCode::kRedisUnavailable);
    EXPECT_NE(claim.error().message.find(word), std::string::npos) << claim.error().message;
  }

  PrivateRedis redis;
  std::atomic<int> losses = 0;
  Server server{redis.ServerSettings(), [this] { ++losses; }};
  BlockingClaims claims{server};
};

TEST_F(FaultsTest, RefusesRequestsAfterAFlushUntilTheEpochIsAdopted) {
  ASSERT_TRUE(claims.Claim(ARequest()));
  redis.Execute({"FLUSHALL"});
  for (int i = 0; i < 3; ++i) ExpectRefused(claims.Claim(ARequest()), "epoch changed");
  GcraPacer pacer(claims.client());
  EXPECT_FALSE(claims.Wait(pacer.Reserve("s", 1, 1, SystemClock().Now())));
  EXPECT_EQ(losses, 1) << "a loss is reported once";
  ASSERT_TRUE(server.AdoptEpoch());
  EXPECT_TRUE(claims.Claim(ARequest()));
  redis.Execute({"FLUSHALL"});
  ExpectRefused(claims.Claim(ARequest()), "epoch changed");
  EXPECT_EQ(losses, 2);
}

TEST_F(FaultsTest, AStartingProcessDetectsAFlushWhileItWasDown) {
  Settings settings = redis.ServerSettings();
  settings.requires_restore = true;
  {
    Server stopped(settings);
    ClaimStoreRestorer restorer(stopped);
    const auto epoch = restorer.FindEpoch();
    ASSERT_TRUE(epoch);
    ASSERT_TRUE(restorer.MarkRestored(*epoch));
    EXPECT_TRUE(restorer.FindEpoch()->restored);
  }
  redis.Execute({"FLUSHALL"});
  Server started(settings);
  ExpectRefused(BlockingClaims(started).Claim(ARequest()), "epoch changed");
  const auto epoch = ClaimStoreRestorer(started).FindEpoch();
  ASSERT_TRUE(epoch);
  EXPECT_FALSE(epoch->restored);
}

TEST_F(FaultsTest, APingFailsWhileWritesAreRefused) {  // R6
  ASSERT_TRUE(claims.Ping());
  redis.Execute({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_FALSE(claims.Ping());
  ExpectRefused(claims.Claim(ARequest()), "OOM");
  redis.Execute({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(claims.Ping());
  EXPECT_TRUE(claims.Claim(ARequest()));
}

// A new connection finds the new master behind the same address, or is refused.
TEST_F(FaultsTest, LeavesARedisThatBecameAReplica) {
  ASSERT_TRUE(claims.Claim(ARequest()));
  redis.Execute({"REPLICAOF", "127.0.0.1", "1"});
  ExpectRefused(claims.Claim(ARequest()), "READONLY");
  ExpectRefused(claims.Claim(ARequest()), "master required");
  redis.Execute({"REPLICAOF", "NO", "ONE"});
  EXPECT_TRUE(claims.Claim(ARequest()));
}

// A reply that is too long would close the connection, and with it every request in flight.
TEST_F(FaultsTest, FindsDueAttemptsWithLargeWorkRecordsInParts) {
  constexpr std::size_t kAttempts = 20;
  for (std::size_t i = 0; i < kAttempts; ++i) {
    ClaimRequest request = ARequest();
    request.work = std::string(1024 * 1024, 'w');
    const auto claim = claims.Claim(request);
    ASSERT_TRUE(claim) << claim.error().message;
    records::v1::AttemptResult result;
    result.set_outcome(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
    result.set_provider_sid("SM" + std::to_string(i));
    ASSERT_TRUE(claims.SaveResult(request.attempt, claim->fence, result));
  }
  UnreconciledAttemptStore store(claims.client());
  const WallTime tomorrow = SystemClock().Now() + std::chrono::hours(24);
  const auto found = claims.Wait(store.FindDue(v1::CHANNEL_SMS, tomorrow, kAttempts));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->total, kAttempts);
  EXPECT_GT(found->due.size(), 0U);
  EXPECT_LT(found->due.size(), kAttempts);
}

TEST_F(FaultsTest, ReloadsItsScriptsAfterAScriptFlush) {
  ASSERT_TRUE(claims.Claim(ARequest()));
  redis.Execute({"SCRIPT", "FLUSH"});
  EXPECT_TRUE(claims.Claim(ARequest()));
}

TEST_F(FaultsTest, ClaimsSurviveAKillAndARestart) {
  redis.Execute({"CONFIG", "SET", "appendfsync", "always"});
  const ClaimRequest request = ARequest();
  ASSERT_TRUE(claims.Claim(request));
  redis.Kill();
  ExpectRefused(claims.Claim(request));
  redis.Start();
  const auto repeated = claims.Claim(request);
  ASSERT_TRUE(repeated) << repeated.error().message;
  EXPECT_EQ(repeated->state, ClaimReply::State::kBusy);
  EXPECT_EQ(losses, 0);
}

// With `everysec` Redis delays writes to the file during an fsync, so a kill may lose writes that
// were confirmed. Then all requests are refused: a second grant would be a second message.
TEST_F(FaultsTest, GrantsNoClaimTwiceWhenAKillLosesWrites) {
  const ClaimRequest request = ARequest();
  ASSERT_TRUE(claims.Claim(request));
  redis.Kill();
  redis.Start();
  const auto repeated = claims.Claim(request);
  if (repeated) {
    EXPECT_EQ(repeated->state, ClaimReply::State::kBusy);
  } else {
    ExpectRefused(repeated, "epoch changed");
    EXPECT_EQ(losses, 1);
  }
}

TEST_F(FaultsTest, FailsWithinTheTimeoutWhileRedisIsPausedAndRecovers) {
  ASSERT_TRUE(claims.Claim(ARequest()));
  redis.Pause();
  const SteadyTime start = std::chrono::steady_clock::now();
  ExpectRefused(claims.Claim(ARequest()));
  EXPECT_LT(std::chrono::steady_clock::now() - start, kTimeoutWithMargin);
  redis.Resume();
  EXPECT_TRUE(claims.Claim(ARequest()));
}

// A restart may lose the end of the append-only file; the epoch at its beginning is kept.
TEST_F(FaultsTest, DetectsARestartThatLostTheLastWrites) {
  redis.Execute({"CONFIG", "SET", "appendfsync", "always"});
  ASSERT_TRUE(claims.Claim(ARequest()));
  Server other(redis.ServerSettings());
  ASSERT_TRUE(other.Ping());
  const ClaimRequest lost = ARequest();
  ASSERT_TRUE(claims.Claim(lost));
  redis.Kill();
  for (const auto& file : std::filesystem::recursive_directory_iterator(redis.folder())) {
    const std::string name = file.path().filename();
    if (name.find(".incr.aof") == std::string::npos || !file.is_regular_file()) continue;
    std::ifstream in(file.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    // Removes the last transaction, which is the last claim, as a crash may do.
    if (const size_t last = text.rfind("*1\r\n$5\r\nMULTI"); last != std::string::npos)
      std::filesystem::resize_file(file.path(), last);
  }
  redis.Start();
  ExpectRefused(claims.Claim(lost), "epoch changed");
  EXPECT_EQ(losses, 1);
  ExpectRefused(BlockingClaims(other).Claim(lost), "epoch changed");
}

TEST_F(FaultsTest, StartsWithoutRedisAndConnectsLater) {
  redis.Kill();
  Server late(redis.ServerSettings());
  BlockingClaims store(late);
  ExpectRefused(store.Claim(ARequest()));
  redis.Start();
  EXPECT_TRUE(store.Claim(ARequest()));
}

TEST_F(FaultsTest, KeepsTheStateOfAnAlertFor48HoursAfterItsExpireTime) {
  const ClaimRequest request = ARequest();
  const auto claim = claims.Claim(request);
  ASSERT_TRUE(claim);
  records::v1::AttemptResult result;
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  result.set_provider_sid("SM1");
  ASSERT_TRUE(claims.SaveResult(request.attempt, claim->fence, result));
  const std::int64_t expected = ToUnixMicros(request.expire_time + std::chrono::hours(48)) / 1000;
  const Keys keys("tocsin");
  const std::int64_t alert =
      redis.Execute({"PEXPIRETIME", keys.Alert(request.attempt.alert_id())}).integer;
  EXPECT_NEAR(static_cast<double>(alert), static_cast<double>(expected), 1.0);
  const std::int64_t sid = redis.Execute({"PEXPIRETIME", keys.Sid("SM1")}).integer;
  EXPECT_NEAR(static_cast<double>(sid), static_cast<double>(expected), 60'000.0);
}

}  // namespace
}  // namespace tocsin::redis
