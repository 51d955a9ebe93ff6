#include "tools/twilio-sim/messages/create_message.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tools/twilio-sim/messages/opt_out.h"

namespace tocsin::sim {
namespace {

constexpr const char* kTo = "+15145550123";
constexpr const char* kFrom = "+15017122661";
constexpr const char* kService = "MG0123456789abcdef0123456789abcdef";
constexpr const char* kEmptyService = "MG00000000000000000000000000000000";
constexpr WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);

class CreateMessageTest : public testing::Test {
 protected:
  CreateMessageTest()
      : directory({{.sid = "AC0123456789abcdef0123456789abcdef", .auth_token = Secret("a")},
                   {.sid = "AC1123456789abcdef0123456789abcdef", .auth_token = Secret("b")}}) {
    directory.AddSender("+15145550100", 1);
    directory.AddSenderToAll("ALERTS");
    directory.AddService({.sid = kService, .account = 0, .pool = {"+15145550111"}});
    directory.AddService({.sid = kEmptyService, .account = 0, .pool = {}});
    directory.Block("+15145550666", kFrom);
    directory.Block("+15145550666", "+15145550111");
    queues.Limit("+15145550111", {.segments_per_second = 1, .queue_segments = 0});
    directory.AddSenderToAll("+15145550222");
    queues.Limit("+15145550222", {.segments_per_second = 1, .queue_segments = 0});
  }

  int CodeOf(const FormFields& fields) {
    draft = {};
    return CheckCreateMessage(ParseCreateMessage(fields), 0, directory, queues, kNow, draft);
  }

  Directory directory;
  SenderQueues queues;
  MessageDraft draft;
};

struct Row {
  std::string name;
  FormFields fields;
  int code;
};

class CreateMessageTable : public CreateMessageTest, public testing::WithParamInterface<Row> {};

TEST_P(CreateMessageTable, HasTwiliosCode) {  // Q2
  EXPECT_EQ(CodeOf(GetParam().fields), GetParam().code);
}

FormFields Sms(const std::string& to, const std::string& from, const std::string& body = "hello") {
  return {{"To", to}, {"From", from}, {"Body", body}};
}

FormFields With(std::string name, std::string value, FormFields fields = Sms(kTo, kFrom)) {
  fields.emplace_back(std::move(name), std::move(value));
  return fields;
}

FormFields Scheduled(const std::string& at) {
  return {{"To", kTo},
          {"MessagingServiceSid", kService},
          {"Body", "x"},
          {"SendAt", at},
          {"ScheduleType", "fixed"}};
}

FormFields WithMedia(int count) {
  FormFields fields = Sms(kTo, kFrom);
  for (int i = 0; i < count; ++i) fields.emplace_back("MediaUrl", "https://example.org/a.png");
  return fields;
}

std::string Times(const std::string& text, int count) {
  std::string whole;
  for (int i = 0; i < count; ++i) whole += text;
  return whole;
}

INSTANTIATE_TEST_SUITE_P(
    Codes, CreateMessageTable,
    testing::ValuesIn(std::vector<Row>{
        {"Valid", Sms(kTo, kFrom), 0},
        {"NoTo", {{"From", kFrom}, {"Body", "x"}}, 21604},
        {"ToWithLetters", Sms("+1514CALLME", kFrom), 21211},
        {"ToWithoutPlus", Sms("15145550123", kFrom), 21211},
        {"ToTooShortForNorthAmerica", Sms("+1514555012", kFrom), 21211},
        {"ToTooLong", Sms("+4412345678901234", kFrom), 21211},
        {"ToIsFrom", Sms(kFrom, kFrom), 21211},
        {"ToShortCode", Sms("12345", kFrom), 21211},
        {"NoSender", {{"To", kTo}, {"Body", "x"}}, 21603},
        {"FromNonsense", Sms(kTo, "#!"), 21212},
        {"FromNobodys", Sms(kTo, "+15145559999"), 21659},
        {"FromAnotherAccounts", Sms(kTo, "+15145550100"), 21660},
        {"FromNobodysShortCode", Sms(kTo, "55555"), 21659},
        {"AlphanumericToCanada", Sms(kTo, "ALERTS"), 21612},
        {"AlphanumericToFrance", Sms("+33612345678", "ALERTS"), 0},
        {"WhatsAppToPlain", Sms("whatsapp:+15145550123", kFrom), 21612},
        {"NoContent", {{"To", kTo}, {"From", kFrom}}, 21602},
        {"EmptyBody", Sms(kTo, kFrom, ""), 21602},
        {"MediaAlone", {{"To", kTo}, {"From", kFrom}, {"MediaUrl", "https://a.example/b"}}, 0},
        {"LongestBody", Sms(kTo, kFrom, std::string(1600, 'a')), 0},
        {"BodyTooLong", Sms(kTo, kFrom, std::string(1601, 'a')), 21617},
        {"LongestBodyCountsCharacters", Sms(kTo, kFrom, Times("é", 1600)), 0},
        {"TenMedia", WithMedia(10), 0},
        {"ElevenMedia", WithMedia(11), 21620},
        {"MediaNoUrl", With("MediaUrl", "picture"), 21620},
        {"ContentSidNonsense", With("ContentSid", "x"), 21655},
        {"CallbackNoUrl", With("StatusCallback", "nowhere"), 21609},
        {"CallbackUnderscore", With("StatusCallback", "http://a_b.example/x"), 21609},
        {"CallbackUnderscoreInPath", With("StatusCallback", "http://a.example/x_y"), 0},
        {"CallbackTooLong", With("StatusCallback", "http://a.example/" + std::string(3984, 'x')),
         21609},
        {"CallbackLongest", With("StatusCallback", "http://a.example/" + std::string(3983, 'x')),
         0},
        {"ValidityZero", With("ValidityPeriod", "0"), 90007},
        {"ValidityShortest", With("ValidityPeriod", "1"), 0},
        {"ValidityLongest", With("ValidityPeriod", "36000"), 0},
        {"ValidityTooLong", With("ValidityPeriod", "36001"), 90007},
        {"ValidityNoNumber", With("ValidityPeriod", "soon"), 90007},
        {"UnknownParameter", With("Weather", "fine"), 0},
        {"ScheduleWithoutService", With("SendAt", "2026-11-21T01:00:00Z"), 35118},
        {"ScheduleTooSoon", Scheduled("2026-11-21T00:05:00Z"), 35114},
        {"ScheduleNoTime", Scheduled("tomorrow"), 35114},
        {"ScheduleTooFar", Scheduled("2026-12-27T00:00:00Z"), 35115},
        {"Scheduled", Scheduled("2026-11-22T00:00:00Z"), 0},
        {"ServiceNonsense", {{"To", kTo}, {"MessagingServiceSid", "MGx"}, {"Body", "x"}}, 21705},
        {"ServiceUnknown",
         {{"To", kTo},
          {"MessagingServiceSid", "MGffffffffffffffffffffffffffffffff"},
          {"Body", "x"}},
         21701},
        {"ServiceEmpty",
         {{"To", kTo}, {"MessagingServiceSid", kEmptyService}, {"Body", "x"}},
         21704},
        {"ServiceChooses", {{"To", kTo}, {"MessagingServiceSid", kService}, {"Body", "x"}}, 0},
        {"FromNotInPool", With("MessagingServiceSid", kService), 21606},
        {"OptedOut", Sms("+15145550666", kFrom), 21610},
        {"OptedOutOfService",
         {{"To", "+15145550666"}, {"MessagingServiceSid", kService}, {"Body", "x"}},
         21610},
        {"QueueFull", Sms(kTo, "+15145550222"), 21611},
        {"MagicTo1", Sms("+15005550001", kFrom), 21211},
        {"MagicTo2", Sms("+15005550002", kFrom), 21612},
        {"MagicTo3", Sms("+15005550003", kFrom), 21408},
        {"MagicTo4", Sms("+15005550004", kFrom), 21610},
        {"MagicTo9", Sms("+15005550009", kFrom), 21614},
        {"MagicFrom1", Sms(kTo, "+15005550001"), 21212},
        {"MagicFrom6", Sms(kTo, "+15005550006"), 0},
        {"MagicFrom7", Sms(kTo, "+15005550007"), 21606},
        {"MagicFrom8", Sms(kTo, "+15005550008"), 21611},
        {"MagicFromOther", Sms(kTo, "+15005550010"), 21606},
    }),
    [](const auto& row) { return row.param.name; });

TEST_F(CreateMessageTest, CountsSegmentsAsTwilio) {  // Q2
  const auto segments = [](const std::string& body) {
    return ParseCreateMessage({{"Body", body}}).segments;
  };
  EXPECT_EQ(segments(Times("€", 80)), 1U);
  EXPECT_EQ(segments(Times("€", 81)), 2U);
  EXPECT_EQ(segments(std::string(152, 'a') + "€" + std::string(152, 'a')), 3U);
  EXPECT_EQ(segments(std::string(306, 'a')), 2U);
  EXPECT_EQ(segments(std::string(307, 'a')), 3U);
  EXPECT_EQ(segments(Times("😀", 35)), 1U);
  EXPECT_EQ(segments(Times("😀", 36)), 2U);
  EXPECT_EQ(segments(Times("😀", 67)), 3U);
  EXPECT_EQ(segments(Times("я", 134)), 2U);
  EXPECT_EQ(segments(Times("я", 135)), 3U);
}

TEST_F(CreateMessageTest, CountsSegmentsAfterSmartEncoding) {
  const FormFields response = {{"Body", "It’s " + std::string(100, 'a')}};
  EXPECT_EQ(ParseCreateMessage(response).segments, 2U);
  EXPECT_EQ(ParseCreateMessage(With("SmartEncoded", "true", response)).segments, 1U);
}

TEST_F(CreateMessageTest, ReplacesInvalidUtf8) {
  EXPECT_EQ(ParseCreateMessage({{"Body", "a\xC3z\xFF"}}).body, "a\uFFFDz\uFFFD");
}

TEST(OptOutKeywordTest, ComparesTheWholeMessageIgnoringCase) {
  EXPECT_EQ(KeywordOf(" stop \n", "+15145550100"), OptOutKeyword::kStop);
  EXPECT_EQ(KeywordOf("REVOKE", "+15145550100"), OptOutKeyword::kStop);
  EXPECT_EQ(KeywordOf("stop it", "+15145550100"), OptOutKeyword::kNone);
  EXPECT_EQ(KeywordOf("Yes", "+15145550100"), OptOutKeyword::kStart);
  EXPECT_EQ(KeywordOf("Yes", "+18005550100"), OptOutKeyword::kNone);  // toll-free: START or UNSTOP
  EXPECT_EQ(KeywordOf("", "+15145550100"), OptOutKeyword::kNone);
}

}  // namespace
}  // namespace tocsin::sim
