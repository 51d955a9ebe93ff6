#include "common/domain/alert/request_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

namespace tocsin {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr WallTime kNow{seconds(1'800'000'000)};

void SetTime(google::protobuf::Timestamp& stamp, WallTime time) {
  stamp.set_seconds(ToUnixMicros(time) / 1'000'000);
  stamp.set_nanos(static_cast<std::int32_t>(ToUnixMicros(time) % 1'000'000 * 1000));
}

struct Row {
  const char* name;
  const char* field;  // of the error; empty: accepted
  std::function<void(v1::EnqueueRequest&)> change;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class SendWindowRule : public testing::TestWithParam<Row> {};

TEST_P(SendWindowRule, DependsOnTheRequestAlone) {
  v1::EnqueueRequest request;
  GetParam().change(request);
  const auto window = SendWindowOf(request, kNow);
  EXPECT_EQ(window ? "" : window.error().field, GetParam().field);
  if (!window) return;
  EXPECT_GT(window->expire_time, std::max(window->send_time, kNow));
  EXPECT_LE(window->expire_time, kNow + kMaxTimeAhead);
}

const Row kRows[] = {
    {"NoTime", "", [](auto&) {}},
    {"SendTimePast", "", [](auto& r) { SetTime(*r.mutable_send_time(), kNow - hours(1)); }},
    {"SendTimeBefore1970", "send_time", [](auto& r) { r.mutable_send_time()->set_seconds(-1); }},
    {"SendTimeNearTheMaximum", "",
     [](auto& r) { SetTime(*r.mutable_send_time(), kNow + days(7) - seconds(1)); }},
    {"SendTimeAtTheMaximum", "send_time",
     [](auto& r) { SetTime(*r.mutable_send_time(), kNow + days(7)); }},
    {"SendTimeTooFar", "send_time",
     [](auto& r) { SetTime(*r.mutable_send_time(), kNow + days(7) + seconds(1)); }},
    {"ExpiresNow", "expire_time", [](auto& r) { SetTime(*r.mutable_expire_time(), kNow); }},
    {"ExpiresInASecond", "", [](auto& r) { SetTime(*r.mutable_expire_time(), kNow + seconds(1)); }},
    {"ExpiresAtTheMaximum", "", [](auto& r) { SetTime(*r.mutable_expire_time(), kNow + days(7)); }},
    {"ExpiresTooFar", "expire_time",
     [](auto& r) { SetTime(*r.mutable_expire_time(), kNow + days(7) + seconds(1)); }},
    {"ExpiresAtItsSendTime", "expire_time",
     [](auto& r) {
       SetTime(*r.mutable_send_time(), kNow + hours(1));
       SetTime(*r.mutable_expire_time(), kNow + hours(1));
     }},
};
INSTANTIATE_TEST_SUITE_P(Each, SendWindowRule, testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(SendWindow, OfAnUnspecifiedPriorityIsThatOfNormal) {
  v1::EnqueueRequest request;
  EXPECT_EQ(SendWindowOf(request, kNow)->expire_time, kNow + hours(24));
  request.set_priority(v1::PRIORITY_EMERGENCY);
  EXPECT_EQ(SendWindowOf(request, kNow)->expire_time, kNow + hours(1));
}

TEST(CheckKey, RefusesASpaceAndAcceptsTheMaximum) {
  EXPECT_FALSE(CheckKey("two words"));
  EXPECT_FALSE(CheckKey(std::string(kMaxKeyCharacters + 1, '~')));
  EXPECT_TRUE(CheckKey(std::string(kMaxKeyCharacters, '~')));
}

TEST(CheckText, RefusesWhatExceedsTheMaximum) {
  EXPECT_TRUE(CheckText(std::string(kMaxTextCharacters, 'a')));
  EXPECT_EQ(CheckText(std::string(kMaxTextCharacters + 1, 'a')).error().code,
            ErrorCode::kTextTooLong);
}

TEST(CheckText, RefusesABlankText) {
  const char* blank[] = {" ",      "\n\r\n", "\t",     "\u200B", "\uFEFF",     " \u200B\u2060 ",
                         "\u00A0", "\u00AD", "\u3164", "\uFE0F", "\U000E0020", "\x01",
                         "\u3000"};
  for (const char* text : blank) {
    const auto checked = CheckText(text);
    ASSERT_FALSE(checked) << testing::PrintToString(text);
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(checked.error().field, "text");
    EXPECT_THAT(checked.error().message, HasSubstr("text is blank"));
  }
  EXPECT_THAT(CheckText("").error().message, HasSubstr("text is empty"));
}

TEST(CheckText, AcceptsATextWithOneVisibleCharacter) {
  for (const char* text : {".", "\u200Ba", "\u2764\uFE0F", "\u0301", "\U0001F514"})
    EXPECT_TRUE(CheckText(text)) << testing::PrintToString(text);
}

TEST(CheckText, NamesANulCharacterAndInvalidUtf8Differently) {
  EXPECT_THAT(CheckText(std::string("a\0b", 3)).error().message,
              HasSubstr("contains a NUL character"));
  EXPECT_THAT(CheckText("a\xff").error().message, HasSubstr("is not UTF-8"));
}

TEST(CheckLabels, RefusesANulCharacterInANameAndInAValue) {
  v1::EnqueueRequest request;
  (*request.mutable_labels())["site"] = std::string("a\0b", 3);
  EXPECT_EQ(CheckLabels(request).error().field, "labels.value");
  EXPECT_THAT(CheckLabels(request).error().message, HasSubstr("contains a NUL character"));
  request.clear_labels();
  (*request.mutable_labels())[std::string("\0", 1)] = "b";
  EXPECT_EQ(CheckLabels(request).error().field, "labels.key");
  EXPECT_THAT(CheckLabels(request).error().message, HasSubstr("contains a NUL character"));
}

TEST(CheckActorId, AcceptsAnyNameThatPeopleWrite) {
  for (const char* id : {"José", "Zoë Ångström", "佐藤", "àéÿ", "user-7"})
    EXPECT_TRUE(CheckActorId(id)) << id;
  std::string longest;
  for (size_t i = 0; i < kMaxActorIdCharacters; ++i) longest += "é";
  EXPECT_TRUE(CheckActorId(longest));
  EXPECT_FALSE(CheckActorId(longest + "é"));
}

TEST(CheckActorId, RefusesEmptyLongBrokenAndControlCharacters) {
  for (const std::string& id :
       {std::string(), std::string(65, 'x'), std::string("a\nb"), std::string("\x7f"),
        std::string("\xc2\x85"), std::string("\xff"), std::string("Jos\xe9")})
    EXPECT_EQ(CheckActorId(id).error().field, "actor_id") << testing::PrintToString(id);
}

TEST(CheckAlertId, AcceptsAUuidInLowerCaseOnly) {
  EXPECT_TRUE(CheckAlertId("0195f2c1-7c3a-7b1e-9d55-0242ac120002"));
  for (const char* id :
       {"", "17", "0195F2C1-7C3A-7B1E-9D55-0242AC120002", "0195f2c17c3a7b1e9d550242ac120002",
        "+15145550123 the boiler is too hot !!"})
    EXPECT_FALSE(CheckAlertId(id)) << id;
}

TEST(CheckAlertId, NamesTheFieldAndNeverRepeatsTheValue) {
  const auto checked = CheckAlertId("+15145550123 the boiler is too hot !!", "alerts[1].alert_id");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().field, "alerts[1].alert_id");
  EXPECT_EQ(checked.error().message, "alert_id is not a UUID in lower case");
}

}  // namespace
}  // namespace tocsin
