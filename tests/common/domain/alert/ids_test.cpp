#include "common/domain/alert/ids.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

using std::chrono::hours;

const WallTime kNow = FromUnixMicros(1'767'225'600'000'000);

TEST(IdsTest, AreTheSameForOneKeyOnOneDay) {  // A3
  const std::string id = KeyedAlertId(kNow + hours(1), "demo", "key", "request");
  EXPECT_EQ(id, KeyedAlertId(kNow + hours(23), "demo", "key", "request"));
  EXPECT_NE(id, KeyedAlertId(kNow + hours(25), "demo", "key", "request"));
  EXPECT_NE(id, KeyedAlertId(kNow, "demok", "ey", "request"));
  EXPECT_NE(IdempotencyDigest("demo", "key"), IdempotencyDigest("demok", "ey"));
}

TEST(IdsTest, DifferForAnotherRequestWithTheSameKey) {  // A3
  EXPECT_NE(KeyedAlertId(kNow, "demo", "key", "request"),
            KeyedAlertId(kNow, "demo", "key", "another request"));
  EXPECT_NE(KeyedAlertId(kNow, "demo", "key", "request"),
            KeyedAlertId(kNow, "demo", "keyr", "equest"));
}

}  // namespace
}  // namespace tocsin
