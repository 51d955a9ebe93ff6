#include "common/twilio/webhooks/webhook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/uuid.h"

namespace tocsin::twilio {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kMessage = "SM0a0b0c0d0e0f00010203040506070809";
const std::string kCall = "CA0a0b0c0d0e0f00010203040506070809";
const std::string kAccount = "AC0123456789abcdef0123456789abcdef";

FormFields AStatus() {
  return {{"SmsSid", kMessage},     {"SmsStatus", "undelivered"}, {"MessageStatus", "undelivered"},
          {"To", "+15145550123"},   {"MessageSid", kMessage},     {"AccountSid", kAccount},
          {"From", "+14165550100"}, {"ErrorCode", "30005"},       {"ApiVersion", "2010-04-01"}};
}

FormFields With(FormFields fields, const std::string& name, const std::string& value) {
  std::erase_if(fields, [&](const auto& field) { return field.first == name; });
  fields.emplace_back(name, value);
  return fields;
}

TEST(Webhook, ParsesTheStatusOfAMessage) {
  const auto record = ParseWebhook(records::v1::WEBHOOK_KIND_SMS_STATUS, AStatus());
  ASSERT_TRUE(record);
  EXPECT_EQ(record->provider_sid(), kMessage);
  EXPECT_EQ(record->account_sid(), kAccount);
  EXPECT_EQ(record->provider_status(), "undelivered");
  EXPECT_EQ(record->provider_code(), 30005);
  EXPECT_EQ(record->sequence_number(), -1);
  EXPECT_EQ(record->duration_seconds(), -1);
  EXPECT_TRUE(IsUuid(record->webhook_id()));
  EXPECT_EQ(OtherParty(records::v1::WEBHOOK_KIND_SMS_STATUS, AStatus()), "+15145550123");
}

// P3, W6: names and lengths, never values.
TEST(Webhook, ContainsNoPii) {
  const auto record =
      ParseWebhook(records::v1::WEBHOOK_KIND_SMS_INBOUND, {{"MessageSid", kMessage},
                                                           {"From", "+15145550123"},
                                                           {"Body", "secret words"},
                                                           {"Na\nme\xff", "x"},
                                                           {std::string(100, 'n'), ""}});
  ASSERT_TRUE(record);
  EXPECT_THAT(record->DebugString(), Not(HasSubstr("5550123")));
  EXPECT_THAT(record->DebugString(), Not(HasSubstr("secret")));
  EXPECT_EQ(record->parameters(2).name(), "Body");
  EXPECT_EQ(record->parameters(2).value_length(), 12);
  EXPECT_EQ(record->parameters(3).name(), "Na?me?");
  EXPECT_EQ(record->parameters(4).name().size(), 64U);
}

// W5: repetitions have the same id, changes another one.
TEST(Webhook, HasTheSameIdOnlyForARepetition) {
  const auto id = [](records::v1::WebhookKind kind, const FormFields& fields) {
    return ParseWebhook(kind, fields)->webhook_id();
  };
  FormFields reordered = AStatus();
  std::ranges::reverse(reordered);
  EXPECT_EQ(id(records::v1::WEBHOOK_KIND_SMS_STATUS, AStatus()),
            id(records::v1::WEBHOOK_KIND_SMS_STATUS, reordered));
  EXPECT_NE(id(records::v1::WEBHOOK_KIND_SMS_STATUS, AStatus()),
            id(records::v1::WEBHOOK_KIND_SMS_STATUS, With(AStatus(), "MessageStatus", "sent")));
  EXPECT_NE(id(records::v1::WEBHOOK_KIND_SMS_STATUS, AStatus()),
            id(records::v1::WEBHOOK_KIND_SMS_INBOUND, AStatus()));
  const FormFields call{{"CallSid", kCall}, {"CallStatus", "in-progress"}, {"Digits", "1"}};
  EXPECT_NE(id(records::v1::WEBHOOK_KIND_VOICE_STATUS, With(call, "SequenceNumber", "1")),
            id(records::v1::WEBHOOK_KIND_VOICE_STATUS, With(call, "SequenceNumber", "2")));
  EXPECT_NE(id(records::v1::WEBHOOK_KIND_VOICE_GATHER, call),
            id(records::v1::WEBHOOK_KIND_VOICE_GATHER, With(call, "Digits", "2")));
}

TEST(Webhook, HasAnotherIdForTheSameKeyInALaterRound) {  // V4, W5
  const FormFields press{{"CallSid", kCall}, {"CallStatus", "in-progress"}, {"Digits", "2"}};
  const auto id = [&](records::v1::WebhookKind kind, unsigned round) {
    return ParseWebhook(kind, press, round)->webhook_id();
  };
  EXPECT_EQ(id(records::v1::WEBHOOK_KIND_VOICE_GATHER, 1),
            id(records::v1::WEBHOOK_KIND_VOICE_GATHER, 1));
  EXPECT_NE(id(records::v1::WEBHOOK_KIND_VOICE_GATHER, 1),
            id(records::v1::WEBHOOK_KIND_VOICE_GATHER, 2));
  EXPECT_EQ(id(records::v1::WEBHOOK_KIND_VOICE_STATUS, 1),
            id(records::v1::WEBHOOK_KIND_VOICE_STATUS, 2));
}

TEST(Webhook, ParsesTheEndOfACall) {
  const auto record =
      ParseWebhook(records::v1::WEBHOOK_KIND_VOICE_STATUS, {{"CallSid", kCall},
                                                            {"CallStatus", "completed"},
                                                            {"SequenceNumber", "3"},
                                                            {"CallDuration", "17"},
                                                            {"AnsweredBy", "machine_end_beep"},
                                                            {"AccountSid", kAccount}});
  ASSERT_TRUE(record);
  EXPECT_EQ(record->provider_sid(), kCall);
  EXPECT_EQ(record->provider_status(), "completed");
  EXPECT_EQ(record->sequence_number(), 3);
  EXPECT_EQ(record->duration_seconds(), 17);
  EXPECT_EQ(record->answered_by(), v1::ANSWERED_BY_MACHINE);
}

TEST(Webhook, ParsesAnInboundMessage) {
  const FormFields fields{{"MessageSid", "MM00112233445566778899aabbccddeeff"},
                          {"SmsStatus", "received"},
                          {"From", "+15145550123"},
                          {"To", "+14165550100"},
                          {"NumSegments", "2"},
                          {"OptOutType", "STOP"}};
  const auto record = ParseWebhook(records::v1::WEBHOOK_KIND_SMS_INBOUND, fields);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->provider_status(), "received");
  EXPECT_EQ(record->segment_count(), 2U);
  EXPECT_EQ(record->opt_out_type(), "STOP");
  EXPECT_EQ(OtherParty(records::v1::WEBHOOK_KIND_SMS_INBOUND, fields), "+15145550123");
}

struct InvalidField {
  const char* name;
  const char* field;
  std::string value;
};

class InvalidWebhookTest : public testing::TestWithParam<InvalidField> {};

TEST_P(InvalidWebhookTest, IsRefusedWithItsFieldAndWithoutItsValue) {
  const auto record = ParseWebhook(records::v1::WEBHOOK_KIND_SMS_STATUS,
                                   With(AStatus(), GetParam().field, GetParam().value));
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(record.error().field, GetParam().field);
  EXPECT_THAT(record.error().message, Not(HasSubstr("5550123")));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, InvalidWebhookTest,
    testing::Values(InvalidField{"CallSid", "MessageSid", kCall},
                    InvalidField{"PrefixOnly", "MessageSid", "SM"},
                    InvalidField{"SidLong", "MessageSid", "SM" + std::string(63, '0')},
                    InvalidField{"SidNumber", "MessageSid", "+15145550123"},
                    InvalidField{"SidPath", "MessageSid", "SM../../etc"},
                    InvalidField{"Account", "AccountSid", "+15145550123"},
                    InvalidField{"StatusLong", "MessageStatus", std::string(33, 'a')},
                    InvalidField{"StatusText", "MessageStatus", "to +15145550123"},
                    InvalidField{"CodeText", "ErrorCode", "x30005"},
                    InvalidField{"CodeTail", "ErrorCode", "30005x"},
                    InvalidField{"CodeNegative", "ErrorCode", "-1"},
                    InvalidField{"CodeHuge", "ErrorCode", "99999999999999999999"},
                    InvalidField{"Sequence", "SequenceNumber", "1.5"},
                    InvalidField{"Segments", "NumSegments", "1001"},
                    InvalidField{"OptOutType", "OptOutType", "STOP +15145550123"}),
    [](const auto& row) { return row.param.name; });

TEST(Webhook, NeedsASidAndAStatus) {
  EXPECT_FALSE(ParseWebhook(records::v1::WEBHOOK_KIND_SMS_STATUS, {}));
  EXPECT_FALSE(ParseWebhook(records::v1::WEBHOOK_KIND_SMS_STATUS, {{"MessageSid", kMessage}}));
  EXPECT_FALSE(ParseWebhook(records::v1::WEBHOOK_KIND_VOICE_STATUS, {{"CallSid", kCall}}));
  EXPECT_TRUE(ParseWebhook(records::v1::WEBHOOK_KIND_SMS_INBOUND, {{"SmsSid", kMessage}}));
  EXPECT_TRUE(ParseWebhook(records::v1::WEBHOOK_KIND_VOICE_TWIML, {{"CallSid", kCall}}));
}

TEST(Webhook, HasAtMost100Parameters) {
  FormFields fields = AStatus();
  while (fields.size() <= kMaxWebhookParameters) fields.emplace_back("More", "");
  const auto record = ParseWebhook(records::v1::WEBHOOK_KIND_SMS_STATUS, fields);
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, ErrorCode::kTooManyItems);
}

}  // namespace
}  // namespace tocsin::twilio
