#include "common/twilio/rest/sms_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/async/sync_wait.h"
#include "common/crypto/vault.h"
#include "common/twilio/webhooks/attempt_token.h"
#include "common/twilio/webhooks/webhook.h"
#include "tests/common/twilio/rest/scripted_server.h"

namespace tocsin::twilio {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr WallTime kNow = FromUnixMicros(1'790'000'000'000'000);

class FixedClock final : public Clock {
 public:
  WallTime Now() const override { return kNow; }
  SteadyTime SteadyNow() const override { return {}; }
};

class SmsProviderTest : public testing::Test {
 protected:
  records::v1::AttemptResult Send() {
    return SyncWait(loop, provider.Send(dispatch, SteadyTime::max()));
  }
  FormFields Form() const {
    const auto requests = server.Requests();
    if (requests.size() != 1) return {};
    return *FormDecode(requests[0].substr(requests[0].find("\r\n\r\n") + 4), 100);
  }

  ScriptedServer server{
      {{.response = HttpResponseText(201, R"({"sid":"SM0a0b0c0d0e0f00010203040506070809"})")}}};
  crypto::KeyringVault vault{crypto::Keyring::Generate(kNow)};
  FixedClock clock;
  EventLoop loop;
  SmsProvider provider{loop,
                       {.rest = {.base_url = server.Url()},
                        .public_base_url = "https://alerts.example.org/",
                        .topics = Topics("tocsin")},
                       vault,
                       clock};
  Dispatch dispatch = [] {
    Dispatch result;
    result.attempt.set_alert_id("01990000-aaaa-7bbb-8ccc-dddddddddddd");
    result.attempt.set_step(1);
    result.attempt.set_attempt(2);
    result.to = Pii("+15145550123");
    result.text = Pii("Fire, floor 3 & 4: café");
    result.account = {.sid = "AC1", .auth_token = Secret("t"), .secondary_auth_token = {}};
    result.sender.number = "+14165550100";
    result.work.set_topic(Topics("tocsin").Lane(v1::CHANNEL_SMS, v1::PRIORITY_HIGH));
    result.work.set_partition(7);
    result.work.set_offset(99);
    result.validity = std::chrono::seconds(600);
    return result;
  }();
};

// S1
TEST_F(SmsProviderTest, PostsToFromAndBody) {
  EXPECT_EQ(Send().outcome(), records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  EXPECT_EQ(FieldOf(Form(), "To"), "+15145550123");
  EXPECT_EQ(FieldOf(Form(), "From"), "+14165550100");
  EXPECT_EQ(FieldOf(Form(), "Body"), "Fire, floor 3 & 4: café");
  EXPECT_EQ(FieldOf(Form(), "ValidityPeriod"), "600");
  EXPECT_EQ(FieldOf(Form(), "MessagingServiceSid"), "");
}

// W5: the callback names the attempt and the position of its work record.
TEST_F(SmsProviderTest, RequestsCallbacksThatNameTheAttempt) {
  Send();
  std::string url(FieldOf(Form(), "StatusCallback"));
  const std::string path = "https://alerts.example.org/twilio/sms/status/";
  ASSERT_THAT(url, StartsWith(path));
  ASSERT_THAT(url, EndsWith("#rc=5&rp=all&rt=3000&tt=15000"));
  const auto token = ParseAttemptToken(vault, url.substr(path.size(), kAttemptTokenChars));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->attempt.SerializeAsString(), dispatch.attempt.SerializeAsString());
  EXPECT_EQ(token->channel, v1::CHANNEL_SMS);
  EXPECT_EQ(token->priority, v1::PRIORITY_HIGH);
  EXPECT_EQ(token->partition, 7);
  EXPECT_EQ(token->offset, 99);
  EXPECT_EQ(token->time, kNow);
}

TEST_F(SmsProviderTest, SendsTheTraceToTwilioAndInTheCallbackUrl) {  // O3
  dispatch.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  Send();
  const std::string step = "00-4bf92f3577b34da6a3ce929d0e0e4736-";
  const std::string url(FieldOf(Form(), "StatusCallback"));
  EXPECT_THAT(url, HasSubstr("?traceparent=" + step));
  EXPECT_THAT(server.Requests()[0], HasSubstr("\r\ntraceparent: " + step));
  EXPECT_THAT(url, Not(HasSubstr("00f067aa0ba902b7"))) << "the POST has its own span";
}

TEST_F(SmsProviderTest, SendsThroughAMessagingService) {
  dispatch.sender.number.clear();
  dispatch.sender.messaging_service_sid = "MG1";
  Send();
  EXPECT_EQ(FieldOf(Form(), "MessagingServiceSid"), "MG1");
  EXPECT_EQ(FieldOf(Form(), "From"), "");
}

TEST_F(SmsProviderTest, LimitsTheValidityToTwiliosMaximum) {
  dispatch.validity = std::chrono::hours(48);
  Send();
  EXPECT_EQ(FieldOf(Form(), "ValidityPeriod"), "36000");
}

TEST_F(SmsProviderTest, SendsAtLeastOneSecondOfValidity) {
  dispatch.validity = std::chrono::seconds(-5);
  Send();
  EXPECT_EQ(FieldOf(Form(), "ValidityPeriod"), "1");
}

TEST_F(SmsProviderTest, SendsNothingWithoutASender) {
  dispatch.sender.number.clear();
  const records::v1::AttemptResult result = Send();
  EXPECT_EQ(result.outcome(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  EXPECT_EQ(result.reason(), "NO_ROUTE");
  EXPECT_THAT(server.Requests(), IsEmpty());
}

TEST_F(SmsProviderTest, SendsNothingForAnInvalidAlertId) {
  dispatch.attempt.set_alert_id("none");
  EXPECT_EQ(Send().outcome(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server.Requests(), IsEmpty());
}

}  // namespace
}  // namespace tocsin::twilio
