#include "common/domain/alert/issued_id.h"

#include <gtest/gtest.h>

#include "common/base/digest.h"
#include "common/base/uuid.h"

namespace tocsin {
namespace {

using std::chrono::hours;

const WallTime kNow = FromUnixMicros(1'767'225'600'000'000);

std::string Digest(std::string_view text) { return Sha256("a key" + std::string(text)); }
std::string Issue(hours life = hours(24), bool emergency = false) {
  return IssueAlertId({.create_time = kNow,
                       .expire_time = kNow + life,
                       .emergency = emergency,
                       .client_id = "demo"},
                      RandomBytes(10), Digest);
}

TEST(IssuedIdTest, ProvesItsClientOnly) {  // A2
  const std::string id = Issue();
  EXPECT_TRUE(ReadIssuedId(id, "demo", Digest));
  EXPECT_FALSE(ReadIssuedId(id, "another", Digest));
  EXPECT_FALSE(ReadIssuedId(id, "", Digest));
}

TEST(IssuedIdTest, ProvesNothingUnderAnotherKey) {
  EXPECT_FALSE(ReadIssuedId(Issue(), "demo", [](std::string_view text) { return Sha256(text); }));
}

TEST(IssuedIdTest, EveryBitOfTheIdIsProven) {
  const std::string bytes = *UuidToBytes(Issue());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(ReadIssuedId(UuidFromBytes(changed), "demo", Digest)) << bit;
  }
}

TEST(IssuedIdTest, IsAUuidOfVersion7WithTheCreateTime) {
  const std::string id = Issue();
  EXPECT_EQ(id[14], '7');
  EXPECT_TRUE(id[19] == '8' || id[19] == '9' || id[19] == 'a' || id[19] == 'b') << id;
  EXPECT_EQ(*TimeOfUuid(id), kNow);
  EXPECT_NE(id, Issue());
}

TEST(IssuedIdTest, ShowsWhetherItIsAnEmergencyAndTheCreateTime) {
  for (const bool emergency : {false, true}) {
    const auto issued = ReadIssuedId(Issue(hours(24 * 7), emergency), "demo", Digest);
    ASSERT_TRUE(issued);
    EXPECT_EQ(issued->emergency, emergency);
    EXPECT_EQ(issued->create_time, kNow);
  }
}

TEST(IssuedIdTest, OtherTextsAreNotIssued) {
  for (const std::string text : {"", "an id", "8f1c2f5e-4d0b-4b7a-9b53-746f6373696e"})
    EXPECT_FALSE(ReadIssuedId(text, "demo", Digest)) << text;
}

// The state of a claimed alert exists until 48 hours after its expire time.
TEST(IssuedIdTest, EndsWhenTheAlertIsOverAndItsStateStillExists) {
  for (hours life{1}; life <= hours(24 * 7); ++life) {
    const WallTime until = ReadIssuedId(Issue(life), "demo", Digest)->until;
    EXPECT_GE(until, kNow + life);
    EXPECT_LE(until, kNow + life + kAlertStateRetention);
  }
}

}  // namespace
}  // namespace tocsin
