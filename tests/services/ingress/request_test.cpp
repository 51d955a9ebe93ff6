#include "services/ingress/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "common/domain/request_rules.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/registry.h"

namespace tocsin::ingress {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kNumber = "+15145550123";
constexpr const char* kText = "Boiler 3 is too hot";

WallTime Now() { return ManualClock().Now(); }

v1::EnqueueRequest ARequest() {
  v1::EnqueueRequest request;
  request.set_to(kNumber);
  request.set_text(kText);
  return request;
}

void SetTime(google::protobuf::Timestamp& stamp, WallTime time) {
  stamp.set_seconds(ToUnixMicros(time) / 1'000'000);
  stamp.set_nanos(static_cast<std::int32_t>(ToUnixMicros(time) % 1'000'000 * 1000));
}

std::string Repeated(std::string_view text, size_t count) {
  std::string repeated;
  for (size_t i = 0; i < count; ++i) repeated += text;
  return repeated;
}

using Change = std::function<void(v1::EnqueueRequest&)>;
using RegistryChange = std::function<void(RegistrySnapshot::Content&)>;

Result<CheckedRequest> Checked(const Change& change, const RegistryChange& registry_change = {}) {
  v1::EnqueueRequest request = ARequest();
  if (change) change(request);
  RegistrySnapshot::Content content = TestRegistry();
  if (registry_change) registry_change(content);
  return Check(request, *Built(std::move(content)), Now());
}

struct Refused {
  const char* name;
  ErrorCode code;
  const char* field;
  Change change;
  RegistryChange registry = {};
};
void PrintTo(const Refused& row, std::ostream* out) { *out << row.name; }

class RefusedRequest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedRequest, NamesReasonAndFieldAndNothingOfThePerson) {
  v1::EnqueueRequest request = ARequest();
  GetParam().change(request);
  const auto checked = Checked(GetParam().change, GetParam().registry);
  ASSERT_FALSE(checked);
  EXPECT_EQ(TraitsOf(checked.error().code).name, TraitsOf(GetParam().code).name);
  EXPECT_EQ(checked.error().field, GetParam().field);
  EXPECT_THAT(checked.error().message, Not(testing::IsEmpty()));
  EXPECT_THAT(checked.error().message, Not(HasSubstr("5550123")));  // P3
  if (!request.text().empty()) {
    EXPECT_THAT(checked.error().message, Not(HasSubstr(request.text())));
  }
}

const Refused kRefused[] = {
    {"KeyTooLong", ErrorCode::kInvalidArgument, "idempotency_key",
     [](auto& r) { r.set_idempotency_key(std::string(65, 'k')); }},
    {"KeyWithABlank", ErrorCode::kInvalidArgument, "idempotency_key",
     [](auto& r) { r.set_idempotency_key("two words"); }},
    {"KeyNotAscii", ErrorCode::kInvalidArgument, "idempotency_key",
     [](auto& r) { r.set_idempotency_key("cl\xc3\xa9"); }},
    {"ClassUnknown", ErrorCode::kInvalidArgument, "class",
     [](auto& r) { r.set_class_(static_cast<v1::AlertClass>(9)); }},
    {"ChannelUnknown", ErrorCode::kInvalidArgument, "channel",
     [](auto& r) { r.set_channel(static_cast<v1::Channel>(9)); }},
    {"PolicyUnknown", ErrorCode::kInvalidArgument, "doubt_policy",
     [](auto& r) { r.set_doubt_policy(static_cast<v1::DoubtPolicy>(9)); }},
    {"PlanUnbuilt", ErrorCode::kNotBuilt, "plan", [](auto& r) { r.add_plan(); }},
    {"TemplateUnbuilt", ErrorCode::kNotBuilt, "template",
     [](auto& r) { r.mutable_template_()->set_id("fire"); }},
    {"VoiceFormOfAMessage", ErrorCode::kInvalidArgument, "voice",
     [](auto& r) { r.mutable_voice(); }},
    {"LanguageStrange", ErrorCode::kInvalidArgument, "voice.language",
     [](auto& r) {
       r.set_channel(v1::CHANNEL_VOICE);
       r.mutable_voice()->set_language("en\"><Hangup/>");
     }},
    {"VoiceTooLong", ErrorCode::kInvalidArgument, "voice.voice",
     [](auto& r) {
       r.set_channel(v1::CHANNEL_VOICE);
       r.mutable_voice()->set_voice(std::string(65, 'v'));
     }},
    {"NoCredentials", ErrorCode::kCredentialsMissing, "channel", [](auto&) {},
     [](auto& c) { c.accounts[0].auth_token = Secret(); }},
    {"NoCredentialsOfTheRoute", ErrorCode::kCredentialsMissing, "sender", [](auto&) {},
     [](auto& c) {  // another account has some
       c.accounts.push_back({"AC2", Secret("a-token"), Secret()});
       c.accounts[0].auth_token = Secret();
     }},
    {"TextEmpty", ErrorCode::kInvalidArgument, "text", [](auto& r) { r.clear_text(); }},
    {"TextNotUtf8", ErrorCode::kInvalidArgument, "text", [](auto& r) { r.set_text("a\xff"); }},
    {"TextWithNul", ErrorCode::kInvalidArgument, "text",
     [](auto& r) { r.set_text(std::string("a\0b", 3)); }},
    {"TextTooLong", ErrorCode::kTextTooLong, "text",
     [](auto& r) { r.set_text(std::string(1601, 'a')); }},
    {"LabelsTooMany", ErrorCode::kTooManyItems, "labels",
     [](auto& r) {
       for (int i = 0; i < 17; ++i) (*r.mutable_labels())[std::to_string(i)] = "x";
     }},
    {"LabelNameEmpty", ErrorCode::kInvalidArgument, "labels",
     [](auto& r) { (*r.mutable_labels())[""] = "x"; }},
    {"LabelNameTooLong", ErrorCode::kInvalidArgument, "labels",
     [](auto& r) { (*r.mutable_labels())[std::string(65, 'n')] = "x"; }},
    {"LabelValueTooLong", ErrorCode::kInvalidArgument, "labels",
     [](auto& r) { (*r.mutable_labels())["n"] = std::string(65, 'v'); }},
    {"NumberMissing", ErrorCode::kInvalidPhoneFormat, "to", [](auto& r) { r.clear_to(); }},
    {"NumberWithoutPlus", ErrorCode::kInvalidPhoneFormat, "to",
     [](auto& r) { r.set_to("5145550123"); }},
    {"NumberWithALetter", ErrorCode::kInvalidPhoneFormat, "to",
     [](auto& r) { r.set_to("+1514555012O"); }},
    {"NumberTooShort", ErrorCode::kInvalidPhoneFormat, "to", [](auto& r) { r.set_to("+151"); }},
    {"NumberTooLong", ErrorCode::kInvalidPhoneFormat, "to",
     [](auto& r) { r.set_to("+15145550123555012"); }},
    {"SendAtTooFar", ErrorCode::kInvalidArgument, "send_at",
     [](auto& r) { SetTime(*r.mutable_send_at(), Now() + days(7) + seconds(1)); }},
    {"SendAtBefore1970", ErrorCode::kInvalidArgument, "send_at",
     [](auto& r) { r.mutable_send_at()->set_seconds(-1); }},
    {"SendAtOddNanos", ErrorCode::kInvalidArgument, "send_at",
     [](auto& r) { r.mutable_send_at()->set_nanos(1'000'000'000); }},
    {"ExpiresTooFar", ErrorCode::kInvalidArgument, "expires_at",
     [](auto& r) { SetTime(*r.mutable_expires_at(), Now() + days(7) + seconds(1)); }},
    {"ExpiredAlready", ErrorCode::kInvalidArgument, "expires_at",
     [](auto& r) { SetTime(*r.mutable_expires_at(), Now()); }},
    {"ExpiresBeforeSendAt", ErrorCode::kInvalidArgument, "expires_at",
     [](auto& r) {
       SetTime(*r.mutable_send_at(), Now() + hours(2));
       SetTime(*r.mutable_expires_at(), Now() + hours(1));
     }},
    {"SmsSwitchedOff", ErrorCode::kSmsDisabled, "channel", [](auto&) {},
     [](auto& c) { c.sms = ChannelMode::kDisabled; }},
    {"VoiceSwitchedOff", ErrorCode::kVoiceDisabled, "channel",
     [](auto& r) { r.set_channel(v1::CHANNEL_VOICE); }},
    {"NoSenderForVoice", ErrorCode::kNoRoute, "to",
     [](auto& r) { r.set_channel(v1::CHANNEL_VOICE); },
     [](auto& c) { c.voice = ChannelMode::kLive; }},
    {"NoRoute", ErrorCode::kNoRoute, "to", [](auto&) {},
     [](auto& c) {
       c.routes = {{"^\\+49", 1, kTestAccount}};
     }},
    {"SenderUnknown", ErrorCode::kNoRoute, "sender", [](auto& r) { r.set_sender("nobody"); }},
};
INSTANTIATE_TEST_SUITE_P(Each, RefusedRequest, testing::ValuesIn(kRefused),
                         [](const auto& row) { return std::string(row.param.name); });

struct Taken {
  const char* name;
  Change change;
};
void PrintTo(const Taken& row, std::ostream* out) { *out << row.name; }

class TakenRequest : public testing::TestWithParam<Taken> {};

TEST_P(TakenRequest, IsWithinEveryBound) {
  const auto checked = Checked(GetParam().change);
  ASSERT_TRUE(checked) << checked.error().field << ": " << checked.error().message;
  EXPECT_EQ(checked->form.to.E164(), kNumber);
  EXPECT_GT(checked->not_after, Now());
  EXPECT_LE(checked->not_after, Now() + kHorizon);
}

const Taken kTaken[] = {
    {"Plain", [](auto&) {}},
    {"KeyOf64", [](auto& r) { r.set_idempotency_key(std::string(64, '~')); }},
    {"TextOf1600", [](auto& r) { r.set_text(std::string(1600, 'a')); }},
    {"TextOf1600BeyondAscii", [](auto& r) { r.set_text(Repeated("\xf0\x9f\x94\xa5", 1600)); }},
    {"LabelsAtTheirBounds",
     [](auto& r) {
       for (char c = 'a'; c < 'a' + 16; ++c)
         (*r.mutable_labels())[std::string(64, c)] = std::string(64, 'v');
     }},
    {"NumberWithPunctuation", [](auto& r) { r.set_to("+1 (514) 555-0123"); }},
    {"SendAtPast", [](auto& r) { SetTime(*r.mutable_send_at(), Now() - hours(1)); }},
    {"SendAtNearTheHorizon",
     [](auto& r) { SetTime(*r.mutable_send_at(), Now() + days(7) - seconds(1)); }},
    {"ExpiresAtTheHorizon", [](auto& r) { SetTime(*r.mutable_expires_at(), Now() + days(7)); }},
    {"ExpiresInASecond", [](auto& r) { SetTime(*r.mutable_expires_at(), Now() + seconds(1)); }},
    {"AtMostOnce", [](auto& r) { r.set_doubt_policy(v1::DOUBT_POLICY_FAIL); }},
    {"AtLeastOnce", [](auto& r) { r.set_doubt_policy(v1::DOUBT_POLICY_SEND_AGAIN); }},
    {"SenderByName", [](auto& r) { r.set_sender("main"); }},
};
INSTANTIATE_TEST_SUITE_P(Each, TakenRequest, testing::ValuesIn(kTaken),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Request, WithoutWishesIsANormalSmsForADay) {
  const auto checked = Checked({});
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->form.alert_class, v1::ALERT_CLASS_NORMAL);
  EXPECT_EQ(checked->form.channel, v1::CHANNEL_SMS);
  EXPECT_EQ(checked->sender, "main");
  EXPECT_FALSE(checked->send_at);
  EXPECT_EQ(checked->not_after, Now() + hours(24));
  EXPECT_EQ(checked->form.segments, 1u);
}

TEST(Request, ExpiresByItsClassCountedFromWhenItMayBeSent) {  // A5
  const auto life = [](v1::AlertClass alert_class, hours ahead) {
    const auto checked = Checked([&](auto& r) {
      r.set_class_(alert_class);
      SetTime(*r.mutable_send_at(), Now() + ahead);
    });
    return checked->not_after - Now();
  };
  EXPECT_EQ(life(v1::ALERT_CLASS_EMERGENCY, hours(0)), hours(1));
  EXPECT_EQ(life(v1::ALERT_CLASS_HIGH, hours(0)), hours(4));
  EXPECT_EQ(life(v1::ALERT_CLASS_BULK, hours(0)), hours(24));
  EXPECT_EQ(life(v1::ALERT_CLASS_HIGH, hours(10)), hours(14));
  EXPECT_EQ(life(v1::ALERT_CLASS_NORMAL, hours(160)), kHorizon);
}

TEST(Request, OfAnEmergencyGoesByTheSenderKeptForThem) {  // A4
  const auto checked = Checked([](auto& r) { r.set_class_(v1::ALERT_CLASS_EMERGENCY); });
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->sender, "urgent");
}

TEST(Request, HasOneCanonicalFormWhateverItsSpelling) {  // A3
  const auto form = [](const Change& change) { return Checked(change)->form.canonical.Reveal(); };
  const std::string plain = form({});
  EXPECT_EQ(plain, form([](auto& r) { r.set_to("+1 514 555-0123"); }));
  EXPECT_EQ(plain, form([](auto& r) { r.set_idempotency_key("k"); }));
  EXPECT_EQ(plain, form([](auto& r) {
              r.set_class_(v1::ALERT_CLASS_NORMAL);
              r.set_channel(v1::CHANNEL_SMS);
            }));
  EXPECT_NE(plain, form([](auto& r) { r.set_text("Boiler 4 is too hot"); }));
  EXPECT_NE(plain, form([](auto& r) { r.set_class_(v1::ALERT_CLASS_HIGH); }));
  EXPECT_NE(plain, form([](auto& r) { (*r.mutable_labels())["site"] = "north"; }));
}

}  // namespace
}  // namespace tocsin::ingress
