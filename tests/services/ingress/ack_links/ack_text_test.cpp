#include "services/ingress/ack_links/ack_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/domain/message/segments.h"
#include "tests/fakes/vault.h"

namespace tocsin::ingress {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kBase = "https://alerts.example.com/hooks";

std::string WithLink(FakeVault& vault, const std::string& text) {
  return *TextWithAck(text, kBase, vault,
                      {.alert_id = "01990000-aaaa-7bbb-8ccc-dddddddddddd",
                       .step = 1,
                       .expire_time = FromUnixMicros(1'790'000'000'000'000)});
}

TEST(AckText, ReplacesThePlaceholderWhereverItStands) {
  FakeVault vault;
  const std::string link = WithLink(vault, "{ack_link}");
  ASSERT_TRUE(link.starts_with(std::string(kBase) + "/ack/"));
  const auto content = ParseAckToken(vault, link.substr(std::string(kBase).size() + 5));
  ASSERT_TRUE(content);
  EXPECT_EQ(content->alert_id, "01990000-aaaa-7bbb-8ccc-dddddddddddd");
  EXPECT_EQ(WithLink(vault, "Pump 3 {ack_link}"), "Pump 3 " + link);
  EXPECT_EQ(WithLink(vault, "{ack_link}\nPump 3"), link + "\nPump 3");
  EXPECT_EQ(WithLink(vault, "{{ack_link}}"), "{" + link + "}");
}

TEST(AckText, LeavesEveryOtherTextAsItIs) {
  FakeVault vault;
  for (const char* text : {"Pump 3", "", "{", "{}", "{ack_link", "{ACK_LINK}", "{ ack_link }",
                           "{ack-link}", "{link}", "{ack_{link}", "{ack_code"}) {
    EXPECT_EQ(WithLink(vault, text), text);
    EXPECT_EQ(TextWithAnyAck(text, kBase), text);
    EXPECT_TRUE(CheckAckPlaceholders(text, v1::CHANNEL_SMS)) << text;
    EXPECT_TRUE(CheckAckPlaceholders(text, v1::CHANNEL_VOICE)) << text;
  }
}

TEST(AckText, CountsALinkThatIsNotMadeYet) {
  FakeVault vault;
  for (size_t length = 0; length < 400; ++length)
    for (const char* character : {"a", "é", "€", "ж", "🔥"}) {
      std::string text = "{ack_link} {ack_code}";
      for (size_t i = 0; i < length; ++i) text.insert(0, character);
      const SegmentInfo counted = CountSegments(TextWithAnyAck(text, kBase));
      const SegmentInfo sent = CountSegments(WithLink(vault, text));
      ASSERT_EQ(counted.characters, sent.characters);
      ASSERT_EQ(counted.segments, sent.segments) << length << character;
    }
}

TEST(AckText, IsRefusedInACallAndIfItIsThereTwice) {
  const auto expect_refused = [](const std::string& text, v1::Channel channel, const char* fix) {
    const Status checked = CheckAckPlaceholders(text, channel);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(checked.error().field, "text");
    EXPECT_THAT(checked.error().message, HasSubstr(fix));
    EXPECT_THAT(checked.error().message, Not(HasSubstr("Pump")));
  };
  EXPECT_TRUE(CheckAckPlaceholders("Pump 3 {ack_link}", v1::CHANNEL_SMS));
  expect_refused("Pump 3 {ack_link}", v1::CHANNEL_VOICE, "remove it");
  expect_refused("Pump 3 {ack_link} {ack_link}", v1::CHANNEL_SMS, "keep one");
  expect_refused("{ack_link}{ack_link} Pump", v1::CHANNEL_SMS, "keep one");
  EXPECT_TRUE(CheckAckPlaceholders("Pump 3 {ack_code} {ack_link}", v1::CHANNEL_SMS));
  expect_refused("Pump 3 {ack_code}", v1::CHANNEL_VOICE, "remove it");
  expect_refused("Pump 3 {ack_code} {ack_code}", v1::CHANNEL_SMS, "keep one");
}

TEST(AckText, HasACodeOfFourDigitsThatFollowsFromTheAlert) {
  FakeVault vault;
  EXPECT_EQ(AckCodeOf("Pump 3 {ack_link}", "a"), "");
  std::set<std::string> codes;
  for (int i = 0; i < 1'000; ++i) {
    const std::string code = AckCodeOf("{ack_code}", std::to_string(i));
    EXPECT_EQ(code.size(), 4u);
    EXPECT_NE(code[0], '0');
    EXPECT_EQ(code, AckCodeOf("Pump {ack_code}", std::to_string(i)));
    codes.insert(code);
  }
  EXPECT_GT(codes.size(), 900u);
  const std::string id = "01990000-aaaa-7bbb-8ccc-dddddddddddd";
  EXPECT_EQ(WithLink(vault, "Reply YES {ack_code}."),
            "Reply YES " + AckCodeOf("{ack_code}", id) + ".");
}

}  // namespace
}  // namespace tocsin::ingress
