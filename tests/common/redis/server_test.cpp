#include "common/redis/server.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

TEST(ServerTest, AcceptsADurableServer) {
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  EXPECT_TRUE(server.CheckServer());
  EXPECT_TRUE(server.Ping());
  EXPECT_FALSE(server.tracker().Current()->id.empty());
}

TEST(ServerTest, ListsWhyAServerIsNotDurable) {
  PrivateRedis redis({"--appendonly", "no", "--maxmemory-policy", "allkeys-lru"});
  Server server(redis.ServerSettings());
  const Status checked = server.CheckServer();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kInvalidConfig);
  EXPECT_NE(checked.error().message.find("appendonly"), std::string::npos);
  EXPECT_NE(checked.error().message.find("noeviction"), std::string::npos);
  const Status pinged = server.Ping();
  ASSERT_FALSE(pinged);
  EXPECT_EQ(pinged.error().code, ErrorCode::kRedisUnavailable);
}

// A server that loads its data reports `aof_enabled:0`.
TEST(ServerTest, AServerThatLoadsItsDataIsUnavailableAndNotMisconfigured) {
  PrivateRedis redis({"--key-load-delay", "200", "--loading-process-events-interval-bytes", "1024",
                      "--appendfsync", "always"});
  for (int i = 0; i < 20; ++i)
    redis.Execute({"EVAL", "for i = 1, 500 do redis.call('SET', KEYS[1] .. i, 'value') end", "1",
                   "key" + std::to_string(i)});
  redis.Kill();
  redis.StartLoading();
  Server server(redis.ServerSettings());
  const Status checked = server.CheckServer();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kRedisUnavailable);
  for (const Status& status : {checked, server.Ping()}) {
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message.find("LOADING"), std::string::npos) << status.error().message;
    EXPECT_EQ(status.error().message.find("appendonly"), std::string::npos);
  }
}

TEST(ServerTest, ABusyServerIsUnavailableAndNotMisconfigured) {
  PrivateRedis redis({"--busy-reply-threshold", "1"});
  Settings settings = redis.ServerSettings();
  Server server(settings);
  std::thread script([&] {
    const SteadyTime deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    auto connection = Connection::Open(settings, deadline);
    ASSERT_TRUE(connection);
    connection->Append({"EVAL", "while true do end", "0"});
    EXPECT_TRUE(connection->Execute(deadline));
  });
  Status checked;
  while ((checked = server.CheckServer())) std::this_thread::yield();
  EXPECT_EQ(checked.error().code, ErrorCode::kRedisUnavailable);
  EXPECT_NE(checked.error().message.find("BUSY"), std::string::npos) << checked.error().message;
  redis.Execute({"SCRIPT", "KILL"});
  script.join();
}

TEST(ServerTest, APingDetectsAFlush) {
  PrivateRedis redis;
  int losses = 0;
  Server server(redis.ServerSettings(), [&losses] { ++losses; });
  ASSERT_TRUE(server.Ping());
  redis.Execute({"FLUSHALL"});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(server.Ping());
  EXPECT_EQ(losses, 1);
  ASSERT_TRUE(server.AdoptEpoch());
  EXPECT_TRUE(server.Ping());
}

TEST(ServerTest, APingFailsWhileWritesAreRefused) {  // R6
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  ASSERT_TRUE(server.Ping());
  redis.Execute({"CONFIG", "SET", "maxmemory", "1"});
  const Status full = server.Ping();
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kRedisUnavailable);
  EXPECT_NE(full.error().message.find("OOM"), std::string::npos) << full.error().message;
  redis.Execute({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(server.Ping());
}

TEST(ServerTest, AuthenticatesAndSelectsTheDatabase) {
  PrivateRedis redis;
  redis.Execute({"CONFIG", "SET", "requirepass", "right horse"});
  Settings settings = redis.ServerSettings();
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

TEST(ServerTest, ProcessesShareOneEpoch) {
  PrivateRedis redis;
  Server first(redis.ServerSettings());
  Server second(redis.ServerSettings());
  ASSERT_TRUE(first.Ping());
  ASSERT_TRUE(second.Ping());
  EXPECT_EQ(first.tracker().Current()->id, second.tracker().Current()->id);
}

TEST(ServerTest, WaitsForAPooledConnectionUntilTheDeadline) {
  PrivateRedis redis;
  Settings settings = redis.ServerSettings();
  settings.pool_size = 1;
  Server server(settings);
  Pool pool(1, [&](SteadyTime deadline) { return server.Connect(deadline); });
  const auto soon = [] {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  };
  {
    auto used = pool.Acquire(soon());
    ASSERT_TRUE(used);
    const auto refused = pool.Acquire(soon());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kRedisUnavailable);
  }
  EXPECT_TRUE(pool.Acquire(soon()));
}

}  // namespace
}  // namespace tocsin::redis
