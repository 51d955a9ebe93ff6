#include "common/delivery/recent.h"

#include <gmock/gmock.h>

namespace tocsin {
namespace {

TEST(RecentTest, KeepsTheFirstUntilItIsForgotten) {
  Recent<int> recent(10);
  EXPECT_TRUE(recent.Put("a", 1));
  EXPECT_FALSE(recent.Put("a", 2));
  EXPECT_EQ(recent.Find("a"), 1);
  recent.Forget("a");
  EXPECT_FALSE(recent.Find("a"));
  EXPECT_TRUE(recent.Put("a", 3));
}

TEST(RecentTest, LetsTheOldestGoWhenThereIsNoRoom) {
  Recent<int> recent(2);
  for (int i = 0; i < 3; ++i) recent.Put(std::to_string(i), i);
  EXPECT_FALSE(recent.Find("0"));
  EXPECT_EQ(recent.Find("1"), 1);
  EXPECT_EQ(recent.Find("2"), 2);
  recent.Forget("1");
  recent.Put("3", 3);
  EXPECT_EQ(recent.Find("2"), 2);
}

}  // namespace
}  // namespace tocsin
