#include "common/delivery/bounded_cache.h"

#include <gmock/gmock.h>

namespace tocsin {
namespace {

TEST(BoundedCacheTest, KeepsTheFirstValueUntilItIsErased) {
  BoundedCache<int> cache(10);
  EXPECT_TRUE(cache.Put("a", 1));
  EXPECT_FALSE(cache.Put("a", 2));
  EXPECT_EQ(cache.Find("a"), 1);
  cache.Erase("a");
  EXPECT_FALSE(cache.Find("a"));
  EXPECT_TRUE(cache.Put("a", 3));
}

TEST(BoundedCacheTest, EvictsTheOldestWhenFull) {
  BoundedCache<int> cache(2);
  for (int i = 0; i < 3; ++i) cache.Put(std::to_string(i), i);
  EXPECT_FALSE(cache.Find("0"));
  EXPECT_EQ(cache.Find("1"), 1);
  EXPECT_EQ(cache.Find("2"), 2);
  cache.Erase("1");
  cache.Put("3", 3);
  EXPECT_EQ(cache.Find("2"), 2);
}

}  // namespace
}  // namespace tocsin
