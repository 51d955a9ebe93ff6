#include "common/ports/consistency_token.h"

#include <gtest/gtest.h>

#include <functional>

namespace tocsin {
namespace {

records::v1::Position APosition() {
  records::v1::Position position;
  position.set_topic("tocsin.sms.normal");
  position.set_partition(11);
  position.set_offset(1'234'567'890'123);
  return position;
}

TEST(ConsistencyTokenTest, ReturnsThePositionItWasMadeFrom) {
  const auto parsed = ParseConsistencyToken(MakeConsistencyToken(APosition()), "consistency_token");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->SerializeAsString(), APosition().SerializeAsString());
}

TEST(ConsistencyTokenTest, AcceptsTheFirstRecordOfAPartition) {
  records::v1::Position position;
  position.set_topic("t");
  EXPECT_TRUE(ParseConsistencyToken(MakeConsistencyToken(position), "consistency_token"));
}

struct BadToken {
  const char* name;
  std::string bytes;
};

class InvalidConsistencyTokenTest : public testing::TestWithParam<BadToken> {};

TEST_P(InvalidConsistencyTokenTest, IsRefusedByFieldWithoutRepeatingIt) {
  const auto parsed = ParseConsistencyToken(GetParam().bytes, "alerts[3].consistency_token");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(parsed.error().field, "alerts[3].consistency_token");
  EXPECT_EQ(parsed.error().message, "not a consistency token that Enqueue returned");
}

std::string TokenOf(const std::function<void(records::v1::Position&)>& change) {
  records::v1::Position position = APosition();
  change(position);
  return MakeConsistencyToken(position);
}

INSTANTIATE_TEST_SUITE_P(
    Tokens, InvalidConsistencyTokenTest,
    testing::Values(
        BadToken{"Empty", ""}, BadToken{"Text", "tocsin.sms.normal/11/7"},
        BadToken{"CutOff", MakeConsistencyToken(APosition()).substr(0, 12)},
        BadToken{"NoTopic", TokenOf([](auto& position) { position.clear_topic(); })},
        BadToken{"LongTopic",
                 TokenOf([](auto& position) { position.set_topic(std::string(250, 't')); })},
        BadToken{"NegativePartition", TokenOf([](auto& position) { position.set_partition(-1); })},
        BadToken{"NegativeOffset", TokenOf([](auto& position) { position.set_offset(-1); })},
        BadToken{"Huge", std::string(1'000'000, '\x20')}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace tocsin
