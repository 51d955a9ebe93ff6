#include "common/redis/server.h"

#include <gtest/gtest.h>

#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

TEST(ServerTest, AcceptsAServerThatForgetsNothing) {
  PrivateRedis redis;
  Server server(redis.Use());
  EXPECT_TRUE(server.CheckServer());
  EXPECT_TRUE(server.Ping());
  EXPECT_FALSE(server.Epoch().empty());
}

TEST(ServerTest, RefusesAServerThatForgetsAndSaysWhy) {
  PrivateRedis redis({"--appendonly", "no", "--maxmemory-policy", "allkeys-lru"});
  Server server(redis.Use());
  const Status checked = server.CheckServer();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kInvalidConfig);
  EXPECT_NE(checked.error().message.find("appendonly"), std::string::npos);
  EXPECT_NE(checked.error().message.find("noeviction"), std::string::npos);
  const Status pinged = server.Ping();
  ASSERT_FALSE(pinged);
  EXPECT_EQ(pinged.error().code, ErrorCode::kRedisUnavailable);
}

TEST(ServerTest, GivesThePasswordAndSelectsTheDatabase) {
  PrivateRedis redis;
  redis.Tell({"CONFIG", "SET", "requirepass", "right horse"});
  Settings settings = redis.Use();
  settings.database = 5;
  EXPECT_FALSE(Server(settings).Ping());
  settings.password = Secret("wrong horse");
  const Status wrong = Server(settings).Ping();
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message.find("horse"), std::string::npos);
  settings.password = Secret("right horse");
  Server server(settings);
  EXPECT_TRUE(server.Ping());
}

TEST(ServerTest, SharesOneEpochAmongProcesses) {
  PrivateRedis redis;
  Server first(redis.Use());
  Server second(redis.Use());
  ASSERT_TRUE(first.Ping());
  ASSERT_TRUE(second.Ping());
  EXPECT_EQ(first.Epoch(), second.Epoch());
}

TEST(ServerTest, BoundsTheWaitForAConnectionOfThePool) {
  PrivateRedis redis;
  Settings settings = redis.Use();
  settings.pool_size = 1;
  Server server(settings);
  Pool pool(1, [&](SteadyTime deadline) { return server.Connect(deadline); });
  const auto soon = [] {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  };
  {
    auto lent = pool.Borrow(soon());
    ASSERT_TRUE(lent);
    const auto refused = pool.Borrow(soon());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kRedisUnavailable);
  }
  EXPECT_TRUE(pool.Borrow(soon()));
}

}  // namespace
}  // namespace tocsin::redis
