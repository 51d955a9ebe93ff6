#include "common/base/uuid.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

using std::chrono::milliseconds;
using std::chrono::sys_time;

TEST(UuidTest, StartsWithItsTime) {
  const sys_time<milliseconds> time(milliseconds(1'767'225'600'123));
  const std::string v7 = MakeUuidV7(time, "0123456789");
  EXPECT_TRUE(IsUuid(v7));
  EXPECT_EQ(v7[14], '7');
  EXPECT_EQ(TimeOfUuid(v7), time);
  const std::string v8 = MakeUuidV8(time, "0123456789abcdef");
  EXPECT_EQ(v8[14], '8');
  EXPECT_EQ(TimeOfUuid(v8), time);
}

TEST(UuidTest, Version5IsDeterministic) {
  EXPECT_EQ(MakeUuidV5("a.1.1|SENT"), MakeUuidV5("a.1.1|SENT"));
  EXPECT_NE(MakeUuidV5("a.1.1|SENT"), MakeUuidV5("a.1.2|SENT"));
  EXPECT_EQ(TimeOfUuid(MakeUuidV5("x")), std::nullopt);
}

TEST(UuidTest, HasOneTextForm) {
  for (const char* text :
       {"", "0190aaaa", "0190AAAA-0000-7000-8000-000000000000",
        "0190aaaa-0000-7000-8000-00000000000g", "0190aaaa00000-7000-8000-00000000000",
        "0190aaaa-0000-7000-8000-000000000000 "})
    EXPECT_FALSE(IsUuid(text)) << text;
}

}  // namespace
}  // namespace tocsin
