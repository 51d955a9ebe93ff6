#include "common/redis/keys.h"

#include <gtest/gtest.h>

namespace tocsin::redis {
namespace {

TEST(KeysTest, ParsesTheNameOfAnAttempt) {
  v1::AttemptRef attempt;
  attempt.set_alert_id("0190aaaa-0000-7000-8000-000000000000");
  attempt.set_step(2);
  attempt.set_attempt(13);
  const std::string name = AttemptName(attempt);
  EXPECT_EQ(name, "0190aaaa-0000-7000-8000-000000000000.2.13");
  EXPECT_EQ(ParseAttemptName(name).SerializeAsString(), attempt.SerializeAsString());
}

TEST(KeysTest, ParsesAMark) {
  const MarkValue mark{.time = FromUnixMicros(1'767'225'600'000'001),
                       .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                       .actor_id = "on-call operator"};
  const MarkValue parsed = ParseMark(MarkText(mark));
  EXPECT_EQ(parsed.time, mark.time);
  EXPECT_EQ(parsed.method, mark.method);
  EXPECT_EQ(parsed.actor_id, mark.actor_id);
}

TEST(KeysTest, ParsesAMarkOfALink) {
  const MarkValue mark{.time = FromUnixMicros(5),
                       .method = v1::ACKNOWLEDGEMENT_METHOD_LINK,
                       .step = 2,
                       .evidence = std::string("a digest\0 \xff", 11)};
  const MarkValue parsed = ParseMark(MarkText(mark));
  EXPECT_EQ(parsed.method, mark.method);
  EXPECT_EQ(parsed.step, 2);
  EXPECT_EQ(parsed.evidence, mark.evidence);
  EXPECT_TRUE(parsed.actor_id.empty());
}

TEST(KeysTest, KeepsTheEvidenceOfALinkAndOfAKeyPress) {
  for (const auto method : {v1::ACKNOWLEDGEMENT_METHOD_LINK, v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS,
                            v1::ACKNOWLEDGEMENT_METHOD_REPLY}) {
    const MarkValue parsed = ParseMark(
        MarkText({.time = FromUnixMicros(5), .method = method, .step = 2, .evidence = "CA 1\x01"}));
    EXPECT_EQ(parsed.method, method);
    EXPECT_EQ(parsed.step, 2);
    EXPECT_EQ(parsed.evidence, "CA 1\x01");
  }
}

TEST(KeysTest, ParsesAMarkWithoutAnActor) {
  const MarkValue parsed = ParseMark(MarkText({.time = FromUnixMicros(5)}));
  EXPECT_EQ(parsed.time, FromUnixMicros(5));
  EXPECT_EQ(parsed.method, v1::ACKNOWLEDGEMENT_METHOD_UNSPECIFIED);
  EXPECT_TRUE(parsed.actor_id.empty());
}

TEST(KeysTest, KeepsDefaultsForATextThatIsNoMark) {
  EXPECT_EQ(ParseMark("").time, WallTime());
  EXPECT_EQ(ParseMark("x y z").time, WallTime());
}

}  // namespace
}  // namespace tocsin::redis
