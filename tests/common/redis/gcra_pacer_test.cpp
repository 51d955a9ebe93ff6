// Leases of rates. tests/common/ports/pacer_contract.h has what every Pacer does.
#include "common/redis/gcra_pacer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/async/sync_wait.h"
#include "common/ports/clock.h"
#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

constexpr const char* kKey = "sender";

class GcraPacerTest : public testing::Test {
 protected:
  // A worker.
  struct Replica {
    explicit Replica(const PrivateRedis& redis) : server(redis.ServerSettings()) {}
    WallTime Reserve(double rate) {
      const auto time =
          SyncWait(loop, pacer.Reserve(kKey, rate, 1, Now() + std::chrono::hours(24)));
      EXPECT_TRUE(time) << time.error().message;
      return time ? *time : WallTime();
    }

    EventLoop loop;
    Server server;
    ScriptClient client{server, loop};
    GcraPacer pacer{client};
  };

  static WallTime Now() { return SystemClock().Now(); }

  // Calls of scripts since the start of Redis.
  int Calls() const {
    const std::string info = redis.Execute({"INFO", "commandstats"}).text;
    const std::string name = "cmdstat_evalsha:calls=";
    const std::size_t at = info.find(name);
    return at == std::string::npos ? 0 : std::stoi(info.substr(at + name.size()));
  }

  // In any window W at most rate x (W + 1 s).
  static void ExpectWithinTheRate(std::vector<WallTime> times, double rate) {
    std::ranges::sort(times);
    for (std::size_t from = 0; from < times.size(); ++from)
      for (std::size_t to = from; to < times.size(); ++to) {
        const std::chrono::duration<double> window = times[to] - times[from];
        ASSERT_LE(static_cast<double>(to - from + 1), rate * (window.count() + 1) + 1e-3)
            << from << "…" << to;
      }
  }

  PrivateRedis redis;
  Replica replica{redis};
  Replica other{redis};
};

TEST_F(GcraPacerTest, RequestsALeaseForManyReservations) {
  for (int i = 0; i < 400; ++i) replica.Reserve(10'000);
  EXPECT_LT(Calls(), 200);
}

TEST_F(GcraPacerTest, RequestsEachReservationAtALowRate) {
  for (int i = 0; i < 5; ++i) replica.Reserve(1);
  EXPECT_EQ(Calls(), 5);
}

TEST_F(GcraPacerTest, KeepsTheRateOfSeveralReplicas) {
  constexpr double kRate = 200;
  std::vector<WallTime> times;
  for (int i = 0; i < 300; ++i) {
    times.push_back(replica.Reserve(kRate));
    if (i % 3 == 0) times.push_back(other.Reserve(kRate));
  }
  ExpectWithinTheRate(times, kRate);
}

TEST_F(GcraPacerTest, LeavesNoGapBetweenItsLeases) {
  constexpr double kRate = 100;
  const auto backlog = static_cast<int>(2 * kRate);  // the times are in the future then
  WallTime last;
  for (int i = 0; i < backlog; ++i) last = replica.Reserve(kRate);
  for (int i = 0; i < 100; ++i) {
    const WallTime next = replica.Reserve(kRate);
    EXPECT_EQ(next - last, std::chrono::milliseconds(10)) << i;
    last = next;
  }
}

TEST_F(GcraPacerTest, ACrashWastesOneLease) {
  constexpr double kRate = 100;
  WallTime last;
  for (int i = 0; i < 300; ++i) last = replica.Reserve(kRate);
  const WallTime next = other.Reserve(kRate);
  EXPECT_GT(next, last);
  EXPECT_LE(next - last, kMaxRateLease + std::chrono::milliseconds(10));
}

TEST_F(GcraPacerTest, WhatIsLeftOfALeaseDoesNotAddToALaterBurst) {
  constexpr double kRate = 100;
  for (int i = 0; i < 20; ++i) replica.Reserve(kRate);
  for (int calls = Calls(); calls == Calls();) replica.Reserve(kRate);  // it has a new lease
  // Until everything that was reserved and leased is in the past.
  const WallTime end = Now() + std::chrono::seconds(1);
  while (Now() < end) {
  }
  std::vector<WallTime> times;
  for (int i = 0; i < 100; ++i) times.push_back(other.Reserve(kRate));
  for (int i = 0; i < 10; ++i) times.push_back(replica.Reserve(kRate));
  ExpectWithinTheRate(times, kRate);
}

TEST_F(GcraPacerTest, ADestroyedTaskDoesNotPreventTheNextLease) {
  replica.Reserve(10'000);
  redis.Pause();
  {
    TaskGroup tasks;
    const auto reserve = [&]() -> Task<void> {
      const std::string key = kKey;
      const auto time =
          co_await replica.pacer.Reserve(key, 10'000, 1, Now() + std::chrono::hours(24));
      ADD_FAILURE() << "not destroyed";
    };
    tasks.Start(reserve());
  }
  redis.Resume();
  for (int i = 0; i < 400; ++i) replica.Reserve(10'000);
  EXPECT_LT(Calls(), 200);
}

}  // namespace
}  // namespace tocsin::redis
