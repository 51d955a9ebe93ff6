#include "services/ingress/acceptance/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "common/domain/alert/request_rules.h"
#include "services/ingress/ack_links/ack_token.h"
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
constexpr const char* kBaseUrl = "https://alerts.example.com";
constexpr size_t kLinkCharacters = 26 + 5 + kAckTokenChars;  // kBaseUrl, "/ack/", token

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
  return CheckRequest(request, *Built(std::move(content)), Now(), {.public_base_url = kBaseUrl});
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

TEST_P(RefusedRequest, NamesReasonAndFieldButNoPersonalData) {
  v1::EnqueueRequest request = ARequest();
  GetParam().change(request);
  const auto checked = Checked(GetParam().change, GetParam().registry);
  ASSERT_FALSE(checked);
  EXPECT_EQ(TraitsOf(checked.error().code).name, TraitsOf(GetParam().code).name);
  EXPECT_EQ(checked.error().field, GetParam().field) << checked.error().message;
  EXPECT_THAT(checked.error().message, Not(testing::IsEmpty()));
  EXPECT_THAT(checked.error().message, Not(HasSubstr("5550123")));  // P3
  if (!request.text().empty()) {
    EXPECT_THAT(checked.error().message, Not(HasSubstr(request.text())));
  }
}

const Refused kRefused[] = {
    {"KeyTooLong", ErrorCode::kInvalidArgument, "idempotency_key",
     [](auto& r) { r.set_idempotency_key(std::string(65, 'k')); }},
    {"KeyWithASpace", ErrorCode::kInvalidArgument, "idempotency_key",
     [](auto& r) { r.set_idempotency_key("two words"); }},
    {"KeyNotAscii", ErrorCode::kInvalidArgument, "idempotency_key",
     [](auto& r) { r.set_idempotency_key("cl\xc3\xa9"); }},
    {"PriorityUnknown", ErrorCode::kInvalidArgument, "priority",
     [](auto& r) { r.set_priority(static_cast<v1::Priority>(9)); }},
    {"ChannelUnknown", ErrorCode::kInvalidArgument, "channel",
     [](auto& r) { r.set_channel(static_cast<v1::Channel>(9)); }},
    {"PolicyUnknown", ErrorCode::kInvalidArgument, "in_doubt_policy",
     [](auto& r) { r.set_in_doubt_policy(static_cast<v1::InDoubtPolicy>(9)); }},
    {"VoiceOptionsOfAMessage", ErrorCode::kInvalidArgument, "voice",
     [](auto& r) { r.mutable_voice(); }},
    {"LanguageUnknown", ErrorCode::kInvalidArgument, "voice.language_code",
     [](auto& r) {
       r.set_channel(v1::CHANNEL_VOICE);
       r.mutable_voice()->set_language_code("en-DE");
     }},
    {"VoiceUnknown", ErrorCode::kInvalidArgument, "voice.voice",
     [](auto& r) {
       r.set_channel(v1::CHANNEL_VOICE);
       r.mutable_voice()->set_voice("Joanna");
     }},
    {"NoCredentials", ErrorCode::kCredentialsMissing, "channel", [](auto&) {},
     [](auto& c) { c.accounts[0].auth_token = Secret(); }},
    {"NoCredentialsOfTheRoute", ErrorCode::kCredentialsMissing, "sender_id", [](auto&) {},
     [](auto& c) {  // another account has some
       c.accounts.push_back({"AC2", Secret("a-token"), Secret()});
       c.accounts[0].auth_token = Secret();
     }},
    {"TextEmpty", ErrorCode::kInvalidArgument, "text", [](auto& r) { r.clear_text(); }},
    {"TextNotUtf8", ErrorCode::kInvalidArgument, "text", [](auto& r) { r.set_text("a\xff"); }},
    {"TextWithNul", ErrorCode::kInvalidArgument, "text",
     [](auto& r) { r.set_text(std::string("a\0b", 3)); }},
    {"TextBlank", ErrorCode::kInvalidArgument, "text", [](auto& r) { r.set_text(" \n\u200B"); }},
    {"TextTooLong", ErrorCode::kTextTooLong, "text",
     [](auto& r) { r.set_text(std::string(1601, 'a')); }},
    {"TextTooLongWithItsLink", ErrorCode::kTextTooLong, "text",
     [](auto& r) { r.set_text(std::string(1600 - kLinkCharacters + 1, 'a') + "{ack_link}"); }},
    {"TwoLinks", ErrorCode::kInvalidArgument, "text",
     [](auto& r) { r.set_text("{ack_link} {ack_link}"); }},
    {"LinkInACall", ErrorCode::kInvalidArgument, "text",
     [](auto& r) {
       r.set_channel(v1::CHANNEL_VOICE);
       r.set_text("Pump 3 {ack_link}");
     }},
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
    {"LabelWithNul", ErrorCode::kInvalidArgument, "labels.value",
     [](auto& r) { (*r.mutable_labels())["n"] = std::string("a\0b", 3); }},
    {"LabelValueWithANumber", ErrorCode::kInvalidArgument, "labels.value",
     [](auto& r) { (*r.mutable_labels())["contact"] = "call +1 514 555 0123"; }},
    {"LabelNameWithANumber", ErrorCode::kInvalidArgument, "labels.key",
     [](auto& r) { (*r.mutable_labels())["5145550123"] = "x"; }},
    {"LabelValueWithAnAddress", ErrorCode::kInvalidArgument, "labels.value",
     [](auto& r) { (*r.mutable_labels())["contact"] = "ann-5550123@example.com"; }},
    {"LabelValueWithACard", ErrorCode::kInvalidArgument, "labels.value",
     [](auto& r) { (*r.mutable_labels())["card"] = "4111 1111 1111 1111"; }},
    {"KeyWithANumber", ErrorCode::kInvalidArgument, "idempotency_key",
     [](auto& r) { r.set_idempotency_key("fire/+15145550123"); }},
    {"NumberMissing", ErrorCode::kInvalidPhoneFormat, "to", [](auto& r) { r.clear_to(); }},
    {"NumberWithoutPlus", ErrorCode::kInvalidPhoneFormat, "to",
     [](auto& r) { r.set_to("5145550123"); }},
    {"NumberWithALetter", ErrorCode::kInvalidPhoneFormat, "to",
     [](auto& r) { r.set_to("+1514555012O"); }},
    {"NumberTooShort", ErrorCode::kInvalidPhoneFormat, "to", [](auto& r) { r.set_to("+151"); }},
    {"NumberTooLong", ErrorCode::kInvalidPhoneFormat, "to",
     [](auto& r) { r.set_to("+15145550123555012"); }},
    {"SendTimeTooFar", ErrorCode::kInvalidArgument, "send_time",
     [](auto& r) { SetTime(*r.mutable_send_time(), Now() + days(7) + seconds(1)); }},
    {"SendTimeBefore1970", ErrorCode::kInvalidArgument, "send_time",
     [](auto& r) { r.mutable_send_time()->set_seconds(-1); }},
    {"SendTimeOddNanos", ErrorCode::kInvalidArgument, "send_time",
     [](auto& r) { r.mutable_send_time()->set_nanos(1'000'000'000); }},
    {"ExpiresTooFar", ErrorCode::kInvalidArgument, "expire_time",
     [](auto& r) { SetTime(*r.mutable_expire_time(), Now() + days(7) + seconds(1)); }},
    {"ExpiredAlready", ErrorCode::kInvalidArgument, "expire_time",
     [](auto& r) { SetTime(*r.mutable_expire_time(), Now()); }},
    {"ExpiresBeforeSendTime", ErrorCode::kInvalidArgument, "expire_time",
     [](auto& r) {
       SetTime(*r.mutable_send_time(), Now() + hours(2));
       SetTime(*r.mutable_expire_time(), Now() + hours(1));
     }},
    {"SmsDisabled", ErrorCode::kSmsDisabled, "channel", [](auto&) {},
     [](auto& c) { c.sms = ChannelMode::kDisabled; }},
    {"VoiceDisabled", ErrorCode::kVoiceDisabled, "channel",
     [](auto& r) { r.set_channel(v1::CHANNEL_VOICE); }},
    {"NoSenderForVoice", ErrorCode::kNoRoute, "to",
     [](auto& r) { r.set_channel(v1::CHANNEL_VOICE); },
     [](auto& c) { c.voice = ChannelMode::kLive; }},
    {"NoRoute", ErrorCode::kNoRoute, "to", [](auto&) {},
     [](auto& c) {
       c.routes = {{"^\\+49", 1, kTestAccount}};
     }},
    {"SenderUnknown", ErrorCode::kNoRoute, "sender_id", [](auto& r) { r.set_sender_id("nobody"); }},
    {"SenderOfOtherPriorities", ErrorCode::kNoRoute, "sender_id",
     [](auto& r) {
       r.set_priority(v1::PRIORITY_EMERGENCY);
       r.set_sender_id("main");
     }},
};
INSTANTIATE_TEST_SUITE_P(Each, RefusedRequest, testing::ValuesIn(kRefused),
                         [](const auto& row) { return std::string(row.param.name); });

struct Accepted {
  const char* name;
  Change change;
};
void PrintTo(const Accepted& row, std::ostream* out) { *out << row.name; }

class AcceptedRequest : public testing::TestWithParam<Accepted> {};

TEST_P(AcceptedRequest, IsWithinAllLimits) {
  const auto checked = Checked(GetParam().change);
  ASSERT_TRUE(checked) << checked.error().field << ": " << checked.error().message;
  EXPECT_EQ(checked->normalized.first().to.E164(), kNumber);
  EXPECT_GT(checked->expire_time, Now());
  EXPECT_LE(checked->expire_time, Now() + kMaxTimeAhead);
}

const Accepted kAccepted[] = {
    {"Plain", [](auto&) {}},
    {"KeyOf64", [](auto& r) { r.set_idempotency_key(std::string(64, '~')); }},
    {"TextOf1600", [](auto& r) { r.set_text(std::string(1600, 'a')); }},
    {"TextOf1600WithItsLink",
     [](auto& r) { r.set_text(std::string(1600 - kLinkCharacters, 'a') + "{ack_link}"); }},
    {"TextOfALink", [](auto& r) { r.set_text("{ack_link}"); }},
    {"TextOf1600NotAscii", [](auto& r) { r.set_text(Repeated("\xf0\x9f\x94\xa5", 1600)); }},
    {"LabelsAtTheirLimits",
     [](auto& r) {
       for (char c = 'a'; c < 'a' + 16; ++c)
         (*r.mutable_labels())[std::string(64, c)] = std::string(64, 'v');
     }},
    {"NumberWithPunctuation", [](auto& r) { r.set_to("+1 (514) 555-0123"); }},
    {"SendTimePast", [](auto& r) { SetTime(*r.mutable_send_time(), Now() - hours(1)); }},
    {"SendTimeNearTheMaximum",
     [](auto& r) { SetTime(*r.mutable_send_time(), Now() + days(7) - seconds(1)); }},
    {"ExpiresAtTheMaximum", [](auto& r) { SetTime(*r.mutable_expire_time(), Now() + days(7)); }},
    {"ExpiresInASecond", [](auto& r) { SetTime(*r.mutable_expire_time(), Now() + seconds(1)); }},
    {"LabelsOfIdsAndTimes",
     [](auto& r) {
       (*r.mutable_labels())["incident"] = "0195f2c1-7c3a-7b1e-9d55-0242ac120002";
       (*r.mutable_labels())["since"] = "2026-11-22T10:15:00Z";
       (*r.mutable_labels())["order"] = "123456789";
       (*r.mutable_labels())["sha256"] = std::string(64, '4');
       r.set_idempotency_key("1763806330123");
     }},
    {"AtMostOnce", [](auto& r) { r.set_in_doubt_policy(v1::IN_DOUBT_POLICY_FAIL); }},
    {"AtLeastOnce", [](auto& r) { r.set_in_doubt_policy(v1::IN_DOUBT_POLICY_RESEND); }},
    {"SenderById", [](auto& r) { r.set_sender_id("main"); }},
};
INSTANTIATE_TEST_SUITE_P(Each, AcceptedRequest, testing::ValuesIn(kAccepted),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(CheckRequest, DefaultsToANormalSmsThatExpiresInADay) {
  const auto checked = Checked({});
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->normalized.priority, v1::PRIORITY_NORMAL);
  EXPECT_EQ(checked->normalized.first().channel, v1::CHANNEL_SMS);
  EXPECT_EQ(checked->sender_ids.front(), "main");
  EXPECT_FALSE(checked->send_time);
  EXPECT_EQ(checked->expire_time, Now() + hours(24));
  EXPECT_EQ(checked->normalized.first().segment_count, 1);
}

TEST(CheckRequest, CountsTheSegmentsOfATextWithItsLink) {  // S2
  const auto segments = [](size_t characters) {
    return Checked([&](auto& r) { r.set_text(std::string(characters, 'a') + "{ack_link}"); })
        ->normalized.first()
        .segment_count;
  };
  EXPECT_EQ(segments(160 - kLinkCharacters), 1);
  EXPECT_EQ(segments(160 - kLinkCharacters + 1), 2);
}

TEST(CheckRequest, ExpiresByPriorityCountedFromTheSendTime) {  // A5
  const auto life = [](v1::Priority priority, hours ahead) {
    const auto checked = Checked([&](auto& r) {
      r.set_priority(priority);
      SetTime(*r.mutable_send_time(), Now() + ahead);
    });
    return checked->expire_time - Now();
  };
  EXPECT_EQ(life(v1::PRIORITY_EMERGENCY, hours(0)), hours(1));
  EXPECT_EQ(life(v1::PRIORITY_HIGH, hours(0)), hours(4));
  EXPECT_EQ(life(v1::PRIORITY_BULK, hours(0)), hours(24));
  EXPECT_EQ(life(v1::PRIORITY_HIGH, hours(10)), hours(14));
  EXPECT_EQ(life(v1::PRIORITY_NORMAL, hours(160)), kMaxTimeAhead);
}

TEST(CheckRequest, SelectsTheDedicatedSenderForAnEmergency) {  // A4
  const auto checked = Checked([](auto& r) { r.set_priority(v1::PRIORITY_EMERGENCY); });
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->sender_ids.front(), "urgent");
}

TEST(CheckRequest, HasOneCanonicalFormForAllSpellings) {  // A3
  const auto form = [](const Change& change) {
    v1::EnqueueRequest request = ARequest();
    if (change) change(request);
    return CanonicalForm(request, *Normalize(request)).Reveal();
  };
  const std::string plain = form({});
  EXPECT_EQ(plain, form([](auto& r) { r.set_to("+1 514 555-0123"); }));
  EXPECT_EQ(plain, form([](auto& r) { r.set_idempotency_key("k"); }));
  EXPECT_EQ(plain, form([](auto& r) {
              r.set_priority(v1::PRIORITY_NORMAL);
              r.set_channel(v1::CHANNEL_SMS);
            }));
  EXPECT_NE(plain, form([](auto& r) { r.set_text("Boiler 4 is too hot"); }));
  EXPECT_NE(plain, form([](auto& r) { r.set_priority(v1::PRIORITY_HIGH); }));
  EXPECT_NE(plain, form([](auto& r) { (*r.mutable_labels())["site"] = "north"; }));
}

TEST(CheckRequest, SkipsTheCheckForPiiIfMetadataIsAllowed) {  // P3
  v1::EnqueueRequest request = ARequest();
  request.set_idempotency_key("ann@example.com");
  (*request.mutable_labels())["contact"] = kNumber;
  const auto registry = Built(TestRegistry());
  EXPECT_FALSE(CheckRequest(request, *registry, Now()));
  EXPECT_TRUE(CheckRequest(request, *registry, Now(), {.allow_pii_like_metadata = true}));
}

TEST(CheckRequest, TheErrorForPiiNamesKindAndFix) {  // P3
  const auto checked = Checked([](auto& r) { (*r.mutable_labels())["contact"] = kNumber; });
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("a phone number"));
  EXPECT_THAT(checked.error().message, HasSubstr("an id or a hash"));
  EXPECT_THAT(checked.error().message, HasSubstr("TOCSIN_ALLOW_PII_LIKE_METADATA"));
}

TEST(CheckRequest, SpellsALanguageAsTwilioDoes) {  // V1
  const auto checked = Checked(
      [](auto& r) {
        r.set_channel(v1::CHANNEL_VOICE);
        r.mutable_voice()->set_language_code("EN-ca");
      },
      [](auto& c) {
        c.voice = ChannelMode::kLive;
        c.senders[0].channels.insert(v1::CHANNEL_VOICE);
      });
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(checked->normalized.first().voice.language_code(), "en-CA");
  EXPECT_EQ(checked->normalized.first().segment_count, 0);
}

}  // namespace
}  // namespace tocsin::ingress
