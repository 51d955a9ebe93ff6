// Restoring claims in a Redis that lost its memory: R1, R4.
#include "common/redis/claim_memory.h"

#include <gtest/gtest.h>

#include "common/ports/clock.h"
#include "common/redis/claim_store.h"
#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

using State = Claim::State;

class ClaimMemoryTest : public testing::Test {
 protected:
  static Settings Waiting(Settings settings) {
    settings.waits_for_rebuild = true;
    return settings;
  }
  static v1::TryName Name(std::uint32_t number) {
    v1::TryName name;
    name.set_alert_id("0190aaaa-0000-7000-8000-000000000000");
    name.set_step(1);
    name.set_try_(number);
    return name;
  }
  Result<Claim> Take(std::uint32_t number) {
    ClaimRequest request;
    request.name = Name(number);
    request.lease = std::chrono::seconds(35);
    request.not_after = Now() + std::chrono::hours(1);
    return claims.Take(request);
  }
  State StateOf(std::uint32_t number) {
    const auto claim = Take(number);
    EXPECT_TRUE(claim) << claim.error().message;
    return claim ? claim->state : State::kBusy;
  }
  static WallTime Now() { return SystemClock().Now(); }
  static KnownTry Begun(std::uint32_t number, WallTime lease_until) {
    return {.name = Name(number),
            .client_id = {},
            .time = Now(),
            .lease_until = lease_until,
            .receipt = {}};
  }
  static KnownTry Ended(std::uint32_t number, v1::ReceiptOutcome outcome, const char* sid = "") {
    KnownTry known = Begun(number, {});
    known.receipt.set_outcome(outcome);
    known.receipt.set_provider_sid(sid);
    return known;
  }

  // The first call may meet the dead connection; the one after it meets what came back.
  bool RefusedAfterTheConnectionWasFoundDead() { return !Take(1) && !Take(1); }

  PrivateRedis redis;
  int losses = 0;
  Server server{Waiting(redis.Use()), [this] { ++losses; }};
  ClaimStore claims{server};
  ClaimStoreMemory memory{server};
};

TEST_F(ClaimMemoryTest, GrantsNothingBeforeAMemoryIsAdopted) {
  EXPECT_FALSE(Take(1));
  const auto found = memory.Find();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(found->whole);
  EXPECT_FALSE(Take(1));
  memory.Adopt(*found, WallTime::min());
  EXPECT_EQ(StateOf(1), State::kGranted);
}

TEST_F(ClaimMemoryTest, KnowsAgainWhatTheLogTells) {
  const auto found = memory.Find();
  ASSERT_TRUE(found);
  const std::vector<KnownTry> told{Begun(1, Now() + std::chrono::seconds(30)),
                                   Begun(2, Now() - std::chrono::seconds(1)), Begun(3, Now()),
                                   Ended(3, v1::RECEIPT_OUTCOME_ACCEPTED, "SM3"),
                                   Ended(4, v1::RECEIPT_OUTCOME_REFUSED)};
  ASSERT_TRUE(memory.Restore(*found, told));
  ASSERT_TRUE(memory.Restore(*found, told));  // a repetition changes nothing
  memory.Adopt(*found, Now());
  EXPECT_EQ(StateOf(1), State::kBusy);
  EXPECT_EQ(StateOf(2), State::kLapsed);
  EXPECT_EQ(StateOf(3), State::kDone);
  EXPECT_EQ(Take(3)->receipt.provider_sid(), "SM3");
  EXPECT_EQ(StateOf(4), State::kDone);
  EXPECT_EQ(StateOf(5), State::kGranted);
  v1::Receipt stolen;
  stolen.set_outcome(v1::RECEIPT_OUTCOME_ACCEPTED);
  stolen.set_provider_sid("SM3");
  EXPECT_FALSE(claims.Keep(Name(2), 0, stolen));  // a SID belongs to one try still
  EXPECT_NE(claims.KnownSince(), WallTime::min());
}

TEST_F(ClaimMemoryTest, ReplacesNothingByWhatProvesLess) {
  const auto found = memory.Find();
  ASSERT_TRUE(found);
  ASSERT_TRUE(memory.Restore(*found, std::vector{Ended(1, v1::RECEIPT_OUTCOME_ACCEPTED, "SM1"),
                                                 Ended(1, v1::RECEIPT_OUTCOME_IN_DOUBT),
                                                 Begun(1, Now() + std::chrono::seconds(30))}));
  memory.Adopt(*found, WallTime::min());
  EXPECT_EQ(Take(1)->receipt.provider_sid(), "SM1");
}

TEST_F(ClaimMemoryTest, TellsAllWhenEverythingIsRestoredAndForgetsItWithTheRest) {
  const auto found = memory.Find();
  ASSERT_TRUE(found);
  ASSERT_TRUE(memory.SayWhole(*found));
  EXPECT_TRUE(memory.Find()->whole);
  redis.Tell({"FLUSHALL"});
  EXPECT_FALSE(memory.Restore(*found, std::vector{Begun(1, Now())}));
  const auto again = memory.Find();
  ASSERT_TRUE(again);
  EXPECT_NE(again->epoch, found->epoch);
  EXPECT_FALSE(again->whole);
}

// Whoever was promised something last may have died with it: nobody else's promises prove that
// nothing was lost.
TEST_F(ClaimMemoryTest, TrustsNoRedisThatCameBackBeforeTheClaimsAreRestoredThere) {  // R4
  const auto found = memory.Find();
  ASSERT_TRUE(found);
  memory.Adopt(*found, WallTime::min());
  ASSERT_TRUE(memory.SayWhole(*found));
  EXPECT_EQ(StateOf(1), State::kGranted);
  redis.Kill();
  redis.Start();
  EXPECT_TRUE(RefusedAfterTheConnectionWasFoundDead());
  EXPECT_EQ(losses, 1);
  const auto again = memory.Find();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->whole);
  ASSERT_TRUE(memory.SayWhole(*again));
  EXPECT_TRUE(memory.Find()->whole);
  memory.Adopt(*again, WallTime::min());
  EXPECT_EQ(StateOf(1), State::kBusy);  // this Redis had lost nothing
}

TEST_F(ClaimMemoryTest, TellsAProcessThatStartsThatRedisCameBackMeanwhile) {  // R4
  const auto found = memory.Find();
  ASSERT_TRUE(found);
  ASSERT_TRUE(memory.SayWhole(*found));
  redis.Kill();
  redis.Start();
  Server started{Waiting(redis.Use())};
  const auto seen = ClaimStoreMemory(started).Find();
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_FALSE(seen->whole);
}

TEST_F(ClaimMemoryTest, TakesNoMemoryForRestoredThatWasToldToTheRedisBefore) {  // R4
  const auto found = memory.Find();
  ASSERT_TRUE(found);
  ASSERT_TRUE(memory.Restore(*found, std::vector{Begun(1, Now())}));
  redis.Kill();
  redis.Start();
  EXPECT_FALSE(memory.Restore(*found, std::vector{Begun(2, Now())}));
  ASSERT_TRUE(memory.SayWhole(*found));
  EXPECT_FALSE(memory.Find()->whole);
}

}  // namespace
}  // namespace tocsin::redis
