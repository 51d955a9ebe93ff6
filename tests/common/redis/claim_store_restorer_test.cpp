// R1, R4
#include "common/redis/claim_store_restorer.h"

#include <gtest/gtest.h>

#include "common/ports/clock.h"
#include "tests/common/redis/blocking_claims.h"
#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

using State = ClaimReply::State;

class ClaimStoreRestorerTest : public testing::Test {
 protected:
  static Settings WithRestore(Settings settings) {
    settings.requires_restore = true;
    return settings;
  }
  static v1::AttemptRef AnAttempt(std::int32_t number) {
    v1::AttemptRef attempt;
    attempt.set_alert_id("0190aaaa-0000-7000-8000-000000000000");
    attempt.set_step(1);
    attempt.set_attempt(number);
    return attempt;
  }
  Result<ClaimReply> Claim(std::int32_t number) {
    ClaimRequest request;
    request.attempt = AnAttempt(number);
    request.lease = std::chrono::seconds(35);
    request.expire_time = Now() + std::chrono::hours(1);
    return claims.Claim(request);
  }
  State StateOf(std::int32_t number) {
    const auto claim = Claim(number);
    EXPECT_TRUE(claim) << claim.error().message;
    return claim ? claim->state : State::kBusy;
  }
  static WallTime Now() { return SystemClock().Now(); }
  static KnownAttempt Started(std::int32_t number, WallTime lease_until) {
    return {.name = AnAttempt(number),
            .client_id = {},
            .time = Now(),
            .lease_until = lease_until,
            .result = {}};
  }
  static KnownAttempt WithResult(std::int32_t number, records::v1::AttemptOutcome outcome,
                                 const char* sid = "") {
    KnownAttempt known = Started(number, {});
    known.result.set_outcome(outcome);
    known.result.set_provider_sid(sid);
    return known;
  }

  static KnownAttempt StartedWithCode() {
    KnownAttempt known = Started(1, Now() + std::chrono::seconds(35));
    known.ack_code = "1234";
    known.recipient_token = "ann's token";
    return known;
  }
  std::string StoredCode() {
    const std::string codes = server.keys().AckCodes("ann's token");
    return redis.Execute({"HGET", codes, AnAttempt(1).alert_id()}).text;
  }

  // The first request may fail because of the old connection; the second one uses a new connection.
  bool RefusedOnAnOldAndANewConnection() { return !Claim(1) && !Claim(1); }

  PrivateRedis redis;
  int losses = 0;
  Server server{WithRestore(redis.ServerSettings()), [this] { ++losses; }};
  BlockingClaims claims{server};
  ClaimStoreRestorer restorer{server};
};

TEST_F(ClaimStoreRestorerTest, GrantsNoClaimBeforeAnEpochIsAdopted) {
  EXPECT_FALSE(Claim(1));
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch) << epoch.error().message;
  EXPECT_FALSE(epoch->restored);
  EXPECT_FALSE(Claim(1));
  restorer.Adopt(*epoch, WallTime::min());
  EXPECT_EQ(StateOf(1), State::kGranted);
}

// It treats each restart as a loss, so the count would cost a write per claim for nothing.
TEST_F(ClaimStoreRestorerTest, AProcessThatRestoresClaimsHasNoWriteCount) {
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  restorer.Adopt(*epoch, WallTime::min());
  EXPECT_EQ(StateOf(1), State::kGranted);
  EXPECT_EQ(redis.Execute({"EXISTS", Keys("tocsin").WriteCounts()}).integer, 0);
}

TEST_F(ClaimStoreRestorerTest, RestoresWhatTheLogContains) {
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  const std::vector<KnownAttempt> known{
      Started(1, Now() + std::chrono::seconds(30)), Started(2, Now() - std::chrono::seconds(1)),
      Started(3, Now()), WithResult(3, records::v1::ATTEMPT_OUTCOME_ACCEPTED, "SM3"),
      WithResult(4, records::v1::ATTEMPT_OUTCOME_REFUSED)};
  ASSERT_TRUE(restorer.Restore(*epoch, known));
  ASSERT_TRUE(restorer.Restore(*epoch, known));  // idempotent
  restorer.Adopt(*epoch, Now());
  EXPECT_EQ(StateOf(1), State::kBusy);
  EXPECT_EQ(StateOf(2), State::kLapsed);
  EXPECT_EQ(StateOf(3), State::kDone);
  EXPECT_EQ(Claim(3)->result->provider_sid(), "SM3");
  EXPECT_EQ(StateOf(4), State::kDone);
  EXPECT_EQ(StateOf(5), State::kGranted);
  records::v1::AttemptResult same_sid;
  same_sid.set_outcome(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  same_sid.set_provider_sid("SM3");
  EXPECT_FALSE(claims.SaveResult(AnAttempt(2), kNoFence, same_sid));
  EXPECT_NE(claims.CompleteSince(), WallTime::min());
}

TEST_F(ClaimStoreRestorerTest, NeverReplacesAResultByWeakerProof) {
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  ASSERT_TRUE(restorer.Restore(
      *epoch, std::vector{WithResult(1, records::v1::ATTEMPT_OUTCOME_ACCEPTED, "SM1"),
                          WithResult(1, records::v1::ATTEMPT_OUTCOME_IN_DOUBT),
                          Started(1, Now() + std::chrono::seconds(30))}));
  restorer.Adopt(*epoch, WallTime::min());
  EXPECT_EQ(Claim(1)->result->provider_sid(), "SM1");
}

TEST_F(ClaimStoreRestorerTest, AFlushRemovesTheRestoredMarker) {
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  ASSERT_TRUE(restorer.MarkRestored(*epoch));
  EXPECT_TRUE(restorer.FindEpoch()->restored);
  redis.Execute({"FLUSHALL"});
  EXPECT_FALSE(restorer.Restore(*epoch, std::vector{Started(1, Now())}));
  const auto next = restorer.FindEpoch();
  ASSERT_TRUE(next);
  EXPECT_NE(next->id, epoch->id);
  EXPECT_FALSE(next->restored);
}

// The lost writes may be those of a process that is gone: the write count of another process does
// not show that nothing was lost.
TEST_F(ClaimStoreRestorerTest, ARestartOfRedisRequiresANewRestore) {  // R4
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  restorer.Adopt(*epoch, WallTime::min());
  ASSERT_TRUE(restorer.MarkRestored(*epoch));
  EXPECT_EQ(StateOf(1), State::kGranted);
  redis.Kill();
  redis.Start();
  EXPECT_TRUE(RefusedOnAnOldAndANewConnection());
  EXPECT_EQ(losses, 1);
  const auto next = restorer.FindEpoch();
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_FALSE(next->restored);
  ASSERT_TRUE(restorer.MarkRestored(*next));
  EXPECT_TRUE(restorer.FindEpoch()->restored);
  restorer.Adopt(*next, WallTime::min());
  EXPECT_EQ(StateOf(1), State::kBusy);  // nothing was lost here
}

TEST_F(ClaimStoreRestorerTest, AStartingProcessDetectsARestartOfRedis) {  // R4
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  ASSERT_TRUE(restorer.MarkRestored(*epoch));
  redis.Kill();
  redis.Start();
  Server started{WithRestore(redis.ServerSettings())};
  const auto found = ClaimStoreRestorer(started).FindEpoch();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(found->restored);
}

TEST_F(ClaimStoreRestorerTest, ARestartOfRedisInvalidatesARestoreInProgress) {  // R4
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  ASSERT_TRUE(restorer.Restore(*epoch, std::vector{Started(1, Now())}));
  redis.Kill();
  redis.Start();
  EXPECT_FALSE(restorer.Restore(*epoch, std::vector{Started(2, Now())}));
  EXPECT_FALSE(restorer.MarkRecentRestored(*epoch, Now()));
  EXPECT_FALSE(restorer.MarkRestored(*epoch));
  EXPECT_FALSE(restorer.FindEpoch()->recent_since);
  EXPECT_FALSE(restorer.FindEpoch()->restored);
}

TEST_F(ClaimStoreRestorerTest, OneProcessHasTheLease) {
  Server other_server{WithRestore(redis.ServerSettings())};
  ClaimStoreRestorer other(other_server);
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  EXPECT_EQ(restorer.HoldLease(*epoch), true);
  EXPECT_EQ(restorer.HoldLease(*epoch), true);  // extended
  EXPECT_EQ(other.HoldLease(*epoch), false);
  ASSERT_TRUE(other.ReleaseLease(*epoch));  // without effect
  EXPECT_EQ(other.HoldLease(*epoch), false);
  const std::int64_t life = redis.Execute({"PTTL", server.keys().RestoreLease()}).integer;
  EXPECT_GT(life, 0);
  EXPECT_LE(life, std::chrono::milliseconds(kRestoreLease).count());
  ASSERT_TRUE(restorer.ReleaseLease(*epoch));
  EXPECT_EQ(other.HoldLease(*epoch), true);
  EXPECT_EQ(restorer.HoldLease(*epoch), false);
}

TEST_F(ClaimStoreRestorerTest, TheLeaseOfAProcessThatEndedExpires) {
  Server other_server{WithRestore(redis.ServerSettings())};
  ClaimStoreRestorer other(other_server);
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  ASSERT_EQ(other.HoldLease(*epoch), true);
  redis.Execute({"PEXPIREAT", server.keys().RestoreLease(), "1"});  // in the past
  EXPECT_EQ(restorer.HoldLease(*epoch), true);
  EXPECT_EQ(other.HoldLease(*epoch), false);
}

TEST_F(ClaimStoreRestorerTest, TheLeaseEndsWithTheEpoch) {
  Server other_server{WithRestore(redis.ServerSettings())};
  ClaimStoreRestorer other(other_server);
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  ASSERT_EQ(other.HoldLease(*epoch), true);
  redis.Execute({"FLUSHALL"});
  EXPECT_FALSE(other.HoldLease(*epoch));
  const auto next = restorer.FindEpoch();
  ASSERT_TRUE(next);
  EXPECT_EQ(restorer.HoldLease(*next), true);
}

TEST_F(ClaimStoreRestorerTest, OtherProcessesFindTheRecentWindow) {
  Server other_server{WithRestore(redis.ServerSettings())};
  ClaimStoreRestorer other(other_server);
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  EXPECT_FALSE(epoch->recent_since);
  const WallTime since = Now() - std::chrono::minutes(15);
  ASSERT_TRUE(restorer.MarkRecentRestored(*epoch, since));
  const auto found = other.FindEpoch();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->recent_since, since);
  EXPECT_FALSE(found->restored);
  ASSERT_TRUE(restorer.MarkRestored(*epoch));
  EXPECT_TRUE(other.FindEpoch()->restored);
  redis.Execute({"FLUSHALL"});
  EXPECT_FALSE(other.FindEpoch()->recent_since);
}

TEST_F(ClaimStoreRestorerTest, AnotherRunOfRedisHasNoRecentWindow) {  // R4
  redis.Execute({"CONFIG", "SET", "appendfsync", "always"});
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  ASSERT_TRUE(restorer.MarkRecentRestored(*epoch, Now()));
  redis.Kill();
  redis.Start();
  Server started{WithRestore(redis.ServerSettings())};
  const auto found = ClaimStoreRestorer(started).FindEpoch();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(found->recent_since);
}

// A slow process ends its restoration after another loss.
TEST_F(ClaimStoreRestorerTest, KeepsTheMarkOfALaterEpoch) {
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  redis.Execute({"FLUSHALL"});
  const auto next = restorer.FindEpoch();
  ASSERT_TRUE(next);
  ASSERT_TRUE(restorer.MarkRestored(*next));
  EXPECT_FALSE(restorer.MarkRestored(*epoch));
  EXPECT_TRUE(restorer.FindEpoch()->restored);
}

TEST_F(ClaimStoreRestorerTest, RestoresTheCodeOfAStart) {  // S7
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  const KnownAttempt known = StartedWithCode();
  ASSERT_TRUE(restorer.Restore(*epoch, std::vector{known}));
  EXPECT_EQ(StoredCode(), AckCodeText(AnAttempt(1), "1234", known.time + kMaxLife));
}

// A restored one has only an upper bound of its expire time: an alert that has expired would wait
// for a reply again.
TEST_F(ClaimStoreRestorerTest, KeepsACodeThatRedisDidNotLose) {  // S7
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  restorer.Adopt(*epoch, WallTime::min());
  ClaimRequest request;
  request.attempt = AnAttempt(1);
  request.lease = std::chrono::seconds(35);
  request.expire_time = Now() + std::chrono::hours(1);
  request.ack_code = AckCode{.recipient_token = "ann's token", .code = "1234"};
  ASSERT_TRUE(claims.Claim(request));
  ASSERT_TRUE(restorer.Restore(*epoch, std::vector{StartedWithCode()}));
  EXPECT_EQ(StoredCode(), AckCodeText(AnAttempt(1), "1234", request.expire_time));
}

TEST_F(ClaimStoreRestorerTest, KeepsABoundedNumberOfCodesOfAPerson) {
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  auto connection = server.Connect(deadline);
  ASSERT_TRUE(connection);
  const std::string codes = server.keys().AckCodes("ann's token");
  const auto add = [&](int count, WallTime expire_time) {
    for (int i = 0; i < count; ++i)
      connection->Append({"HSET", codes, "alert " + std::to_string(i),
                          AckCodeText(AnAttempt(1), "1234", expire_time)});
    ASSERT_TRUE(connection->Execute(deadline));
  };
  const auto restored = [&] {
    EXPECT_TRUE(restorer.Restore(*epoch, std::vector{StartedWithCode()}));
    return connection->Execute({"HEXISTS", codes, AnAttempt(1).alert_id()}, deadline)->integer == 1;
  };
  add(1'000, Now() + std::chrono::hours(1));
  EXPECT_FALSE(restored());
  add(10, Now() - std::chrono::hours(1));  // these have expired
  EXPECT_TRUE(restored());
  EXPECT_EQ(connection->Execute({"HLEN", codes}, deadline)->integer, 991);
}

}  // namespace
}  // namespace tocsin::redis
