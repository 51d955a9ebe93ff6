#include "common/twilio/voice_carrier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/crypto/vault.h"
#include "common/twilio/try_token.h"
#include "common/twilio/webhook.h"
#include "tests/common/twilio/script_server.h"

namespace tocsin::twilio {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr WallTime kNow = FromUnixMicros(1'790'000'000'000'000);

class StoppedClock final : public Clock {
 public:
  WallTime Now() const override { return kNow; }
  SteadyTime SteadyNow() const override { return {}; }
};

class VoiceCarrierTest : public testing::Test {
 protected:
  v1::Receipt Send() { return carrier.Send(dispatch, SteadyTime::max()); }
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

  ScriptServer server{
      {{.answer = HttpAnswer(201, R"({"sid":"CA0a0b0c0d0e0f00010203040506070809"})")}}};
  crypto::KeyringVault vault{crypto::Keyring::Generate(kNow)};
  StoppedClock clock;
  VoiceCarrier carrier{{.rest = {.base_url = server.Url()},
                        .public_base_url = "https://alerts.example.org/",
                        .topics = Topics("tocsin"),
                        .ring = std::chrono::seconds(25)},
                       vault,
                       clock};
  Dispatch dispatch = [] {
    Dispatch made;
    made.name.set_alert_id("01990000-aaaa-7bbb-8ccc-dddddddddddd");
    made.name.set_step(1);
    made.name.set_try_(2);
    made.to = Pii("+15145550123");
    made.text = Pii("Fire, floor 3 & 4: café");
    made.account = {.sid = "AC1", .auth_token = Secret("t"), .secondary_auth_token = {}};
    made.sender.number = "+14165550100";
    made.work.set_topic(Topics("tocsin").Lane(v1::CHANNEL_VOICE, v1::ALERT_CLASS_HIGH));
    made.work.set_partition(7);
    made.work.set_offset(99);
    made.spoken.set_language("en-CA");
    made.spoken.set_voice("alice");
    return made;
  }();
};

TEST_F(VoiceCarrierTest, PlacesACallThatSpeaksTheTextAndAsksForAKey) {  // V1, V4
  const v1::Receipt receipt = Send();
  EXPECT_EQ(receipt.outcome(), v1::RECEIPT_OUTCOME_ACCEPTED);
  EXPECT_EQ(receipt.provider_sid(), "CA0a0b0c0d0e0f00010203040506070809");
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

TEST_F(VoiceCarrierTest, AsksForACallbackOfEveryEventThatNamesTheTry) {  // V2, W5
  Send();
  const std::string url(FieldOf(Form(), "StatusCallback"));
  const std::string path = "https://alerts.example.org/twilio/voice/status/";
  ASSERT_THAT(url, StartsWith(path));
  ASSERT_THAT(url, EndsWith("#rc=5&rp=all&rt=3000&tt=15000"));
  const auto token = ParseTryToken(vault, url.substr(path.size(), kTryTokenChars));
  ASSERT_TRUE(token);
  EXPECT_THAT(url.substr(path.size() + kTryTokenChars), StartsWith("?traceparent=00-"));
  EXPECT_EQ(token->channel, v1::CHANNEL_VOICE);
  EXPECT_EQ(token->alert_class, v1::ALERT_CLASS_HIGH);
  EXPECT_EQ(token->offset, 99);
  EXPECT_THAT(All("StatusCallbackEvent"),
              ElementsAre("initiated", "ringing", "answered", "completed"));
}

TEST_F(VoiceCarrierTest, AsksWhoTookTheCallWhenThatIsWanted) {  // V2
  dispatch.spoken.set_detect_machine(true);
  Send();
  EXPECT_EQ(FieldOf(Form(), "MachineDetection"), "Enable");
}

TEST_F(VoiceCarrierTest, LetsALongTextBeFetchedAndPutsItInNoUrl) {  // V1
  dispatch.text = Pii(std::string(1600, '&'));
  Send();
  EXPECT_EQ(FieldOf(Form(), "Twiml"), "");
  EXPECT_THAT(std::string(FieldOf(Form(), "Url")),
              StartsWith("https://alerts.example.org/twilio/voice/twiml/"));
  EXPECT_THAT(server.Requests()[0], Not(HasSubstr("%26%26")));
}

TEST_F(VoiceCarrierTest, CallsNobodyWithoutANumberToCallFrom) {
  dispatch.sender.number.clear();
  EXPECT_EQ(Send().outcome(), v1::RECEIPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server.Requests(), IsEmpty());
}

TEST_F(VoiceCarrierTest, CallsNobodyForATryWithoutAProperName) {
  dispatch.name.set_alert_id("none");
  EXPECT_EQ(Send().outcome(), v1::RECEIPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server.Requests(), IsEmpty());
}

}  // namespace
}  // namespace tocsin::twilio
