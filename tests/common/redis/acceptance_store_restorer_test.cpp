// R1
#include "common/redis/acceptance_store_restorer.h"

#include <gtest/gtest.h>

#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

TEST(AcceptanceStoreRestorerTest, KeepsTheMarkOfALaterEpoch) {
  PrivateRedis redis;
  Server slow_server(redis.ServerSettings());
  AcceptanceStoreRestorer slow(slow_server);
  const auto epoch = slow.AdoptEpoch();
  ASSERT_TRUE(epoch) << epoch.error().message;
  redis.Execute({"FLUSHALL"});
  Server server(redis.ServerSettings());
  AcceptanceStoreRestorer restorer(server);
  const auto next = restorer.AdoptEpoch();
  ASSERT_TRUE(next) << next.error().message;
  ASSERT_TRUE(restorer.MarkRestored(*next));
  EXPECT_FALSE(slow.MarkRestored(*epoch));
  EXPECT_TRUE(restorer.AdoptEpoch()->restored);
}

}  // namespace
}  // namespace tocsin::redis
