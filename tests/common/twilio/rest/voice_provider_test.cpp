#include "common/twilio/rest/voice_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/async/sync_wait.h"
#include "common/crypto/vault.h"
#include "common/twilio/webhooks/attempt_token.h"
#include "common/twilio/webhooks/webhook.h"
#include "tests/common/twilio/rest/scripted_server.h"

namespace tocsin::twilio {
namespace {

using testing::ElementsAre;
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

class VoiceProviderTest : public testing::Test {
 protected:
  records::v1::AttemptResult Send() {
    return SyncWait(loop, provider.Send(dispatch, SteadyTime::max()));
  }
  FormFields Form() const {
    const auto requests = server.Requests();
    if (requests.size() != 1) return {};
    return *FormDecode(requests[0].substr(requests[0].find("\r\n\r\n") + 4), 100);
  }
  std::vector<std::string> All(std::string_view name) const {
    std::vector<std::string> values;
    for (const auto& [field, value] : Form())
      if (field == name) values.push_back(value);
    return values;
  }

  ScriptedServer server{
      {{.response = HttpResponseText(201, R"({"sid":"CA0a0b0c0d0e0f00010203040506070809"})")}}};
  crypto::KeyringVault vault{crypto::Keyring::Generate(kNow)};
  FixedClock clock;
  EventLoop loop;
  VoiceProvider provider{loop,
                         {.rest = {.base_url = server.Url()},
                          .public_base_url = "https://alerts.example.org/",
                          .topics = Topics("tocsin"),
                          .ring_timeout = std::chrono::seconds(25)},
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
    result.work.set_topic(Topics("tocsin").Lane(v1::CHANNEL_VOICE, v1::PRIORITY_HIGH));
    result.work.set_partition(7);
    result.work.set_offset(99);
    result.voice.set_language_code("en-CA");
    result.voice.set_voice("alice");
    return result;
  }();
};

TEST_F(VoiceProviderTest, PlacesACallThatSpeaksTheTextAndGathersAKey) {  // V1, V4
  const records::v1::AttemptResult result = Send();
  EXPECT_EQ(result.outcome(), records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  EXPECT_EQ(result.provider_sid(), "CA0a0b0c0d0e0f00010203040506070809");
  EXPECT_THAT(server.Requests()[0], StartsWith("POST /2010-04-01/Accounts/AC1/Calls.json "));
  EXPECT_EQ(FieldOf(Form(), "To"), "+15145550123");
  EXPECT_EQ(FieldOf(Form(), "From"), "+14165550100");
  EXPECT_EQ(FieldOf(Form(), "Timeout"), "25");
  EXPECT_EQ(FieldOf(Form(), "Url"), "");
  EXPECT_EQ(FieldOf(Form(), "MachineDetection"), "");
  EXPECT_THAT(
      std::string(FieldOf(Form(), "Twiml")),
      HasSubstr("<Say language=\"en-CA\" voice=\"alice\">Fire, floor 3 &amp; 4: café</Say>"));
}

TEST_F(VoiceProviderTest, RequestsCallbacksOfAllEventsThatNameTheAttempt) {  // V2, W5
  Send();
  const std::string url(FieldOf(Form(), "StatusCallback"));
  const std::string path = "https://alerts.example.org/twilio/voice/status/";
  ASSERT_THAT(url, StartsWith(path));
  ASSERT_THAT(url, EndsWith("#rc=5&rp=all&rt=3000&tt=15000"));
  const auto token = ParseAttemptToken(vault, url.substr(path.size(), kAttemptTokenChars));
  ASSERT_TRUE(token);
  EXPECT_THAT(url.substr(path.size() + kAttemptTokenChars), StartsWith("?traceparent=00-"));
  EXPECT_EQ(token->channel, v1::CHANNEL_VOICE);
  EXPECT_EQ(token->priority, v1::PRIORITY_HIGH);
  EXPECT_EQ(token->offset, 99);
  EXPECT_THAT(All("StatusCallbackEvent"),
              ElementsAre("initiated", "ringing", "answered", "completed"));
}

TEST_F(VoiceProviderTest, EnablesMachineDetectionOnRequest) {  // V2
  dispatch.voice.set_machine_detection(true);
  Send();
  EXPECT_EQ(FieldOf(Form(), "MachineDetection"), "Enable");
}

TEST_F(VoiceProviderTest, LetsTwilioFetchALongTextWithoutItInAUrl) {  // V1
  dispatch.text = Pii(std::string(1600, '&'));
  Send();
  EXPECT_EQ(FieldOf(Form(), "Twiml"), "");
  EXPECT_THAT(std::string(FieldOf(Form(), "Url")),
              StartsWith("https://alerts.example.org/twilio/voice/twiml/"));
  EXPECT_THAT(server.Requests()[0], Not(HasSubstr("%26%26")));
}

TEST_F(VoiceProviderTest, PlacesNoCallWithoutASenderNumber) {
  dispatch.sender.number.clear();
  EXPECT_EQ(Send().outcome(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server.Requests(), IsEmpty());
}

TEST_F(VoiceProviderTest, PlacesNoCallForAnInvalidAlertId) {
  dispatch.attempt.set_alert_id("none");
  EXPECT_EQ(Send().outcome(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server.Requests(), IsEmpty());
}

}  // namespace
}  // namespace tocsin::twilio
