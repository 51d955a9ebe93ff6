#include "common/base/digest.h"

#include <gtest/gtest.h>

#include <set>

#include "common/base/encoding.h"

namespace tocsin {
namespace {

TEST(HmacTest, ReturnsTheValuesOfRfc4231AndRfc2202) {
  EXPECT_EQ(HexEncode(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(HexEncode(HmacSha1("Jefe", "what do ya want for nothing?")),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

// The state of one computation must not reach the next on the same thread.
TEST(HmacTest, DoesNotReuseTheLastKey) {
  const std::string first = HmacSha256("a key", "text");
  EXPECT_NE(HmacSha256("another key", "text"), first);
  EXPECT_EQ(HexEncode(HmacSha256("", "")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  EXPECT_EQ(HmacSha256("a key", "text"), first);
}

TEST(HmacTest, AcceptsKeysLongerThanABlock) {  // RFC 4231, case 6
  EXPECT_EQ(HexEncode(HmacSha256(std::string(131, '\xaa'),
                                 "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(RandomBytesTest, NeverRepeatsForCountsBelowAndAboveTheBufferSize) {
  std::set<std::string> seen;
  for (int i = 0; i < 2000; ++i) EXPECT_TRUE(seen.insert(RandomBytes(16)).second);
  EXPECT_NE(RandomBytes(10'000), RandomBytes(10'000));
  EXPECT_EQ(RandomBytes(0), "");
}

}  // namespace
}  // namespace tocsin
