#include "common/domain/alert/issued_id.h"

#include <gtest/gtest.h>

#include "common/base/digest.h"
#include "common/base/uuid.h"

namespace tocsin {
namespace {

using std::chrono::hours;

const WallTime kNow = FromUnixMicros(1'767'225'600'000'000);

std::string Digest(std::string_view text) { return Sha256("a key" + std::string(text)); }
std::string Issue(hours life = hours(24)) {
  return IssueAlertId(kNow, kNow + life, "demo", RandomBytes(10), Digest);
}

TEST(IssuedIdTest, ProvesItsClientOnly) {  // A2
  const std::string id = Issue();
  EXPECT_TRUE(IssuedUntil(id, "demo", Digest));
  EXPECT_FALSE(IssuedUntil(id, "another", Digest));
  EXPECT_FALSE(IssuedUntil(id, "", Digest));
}

TEST(IssuedIdTest, ProvesNothingUnderAnotherKey) {
  EXPECT_FALSE(IssuedUntil(Issue(), "demo", [](std::string_view text) { return Sha256(text); }));
}

TEST(IssuedIdTest, EveryBitOfTheIdIsProven) {
  const std::string bytes = *UuidToBytes(Issue());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(IssuedUntil(UuidFromBytes(changed), "demo", Digest)) << bit;
  }
}

TEST(IssuedIdTest, IsAUuidOfVersion7WithTheCreateTime) {
  const std::string id = Issue();
  EXPECT_EQ(id[14], '7');
  EXPECT_TRUE(id[19] == '8' || id[19] == '9' || id[19] == 'a' || id[19] == 'b') << id;
  EXPECT_EQ(*TimeOfUuid(id), kNow);
  EXPECT_NE(id, Issue());
}

TEST(IssuedIdTest, OtherTextsAreNotIssued) {
  for (const std::string text : {"", "an id", "8f1c2f5e-4d0b-4b7a-9b53-746f6373696e"})
    EXPECT_FALSE(IssuedUntil(text, "demo", Digest)) << text;
}

// The state of a claimed alert exists until 48 hours after its expire time.
TEST(IssuedIdTest, EndsWhenTheAlertIsOverAndItsStateStillExists) {
  for (hours life{1}; life <= hours(24 * 7); ++life) {
    const WallTime until = *IssuedUntil(Issue(life), "demo", Digest);
    EXPECT_GE(until, kNow + life);
    EXPECT_LE(until, kNow + life + kAlertStateRetention);
  }
}

}  // namespace
}  // namespace tocsin
