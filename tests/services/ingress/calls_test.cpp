// Requests of calls that are under way: their text, their keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/domain/ids.h"
#include "common/twilio/signature.h"
#include "common/twilio/try_token.h"
#include "services/ingress/webhooks.h"
#include "services/ingress/work_finder.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"

namespace tocsin::ingress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kPublicUrl = "https://alerts.example.com";
constexpr const char* kPerson = "+15145550123";
constexpr const char* kOurs = "+15017122661";
const std::string kTraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kTrace = "?traceparent=00-" + kTraceId + "-00f067aa0ba902b7-01";
constexpr const char* kText = "Boiler 3 is too hot, code 4711";

// Answers on the caller's thread.
class FakeWorks final : public WorkLookup {
 public:
  void Find(const v1::TryName&, const v1::Position& position,
            std::function<void(Result<v1::WorkRecord>)> answer) override {
    asked.push_back(position);
    if (known)
      answer(*known);
    else
      answer(Fail(ErrorCode::kNotFound, "nobody has it"));
  }
  std::optional<v1::WorkRecord> known;
  std::vector<v1::Position> asked;
};

class CallsTest : public testing::Test {
 protected:
  CallsTest() {
    works.known = Work();
    admissions.Admit({.alert_id = name.alert_id(),
                      .client_id = "demo",
                      .idempotency_digest = {},
                      .request_digest = {},
                      .nonce = {},
                      .accepted = clock.Now(),
                      .not_after = clock.Now() + std::chrono::hours(1)},
                     [](const Result<Admission>&) {});
  }

  static RegistrySnapshot::Content WithVoice() {
    RegistrySnapshot::Content content = TestRegistry();
    content.voice = ChannelMode::kLive;
    return content;
  }
  v1::WorkRecord Work() {
    v1::WorkRecord work;
    *work.mutable_try_() = name;
    work.set_client_id("demo");
    work.mutable_spoken()->set_language("de-DE");
    v1::Content content;
    content.set_text(kText);
    const auto sealed =
        vault.Seal({"demo", name.alert_id(), "content"}, content.SerializeAsString());
    *work.mutable_content() = sealed->sealed;
    return work;
  }
  v1::TryName AName() const {
    v1::TryName made;
    made.set_alert_id(NewAlertId(clock.Now(), "0123456789"));
    made.set_step(1);
    made.set_try_(2);
    return made;
  }
  std::string Token(v1::Channel channel = v1::CHANNEL_VOICE) {
    return *twilio::MakeTryToken(vault, {.name = name,
                                         .channel = channel,
                                         .alert_class = v1::ALERT_CLASS_HIGH,
                                         .partition = 7,
                                         .offset = 42,
                                         .time = clock.Now()});
  }
  static FormFields Form(const std::string& key) {
    return {{"AccountSid", kTestAccount},
            {"CallSid", "CA0123456789abcdef0123456789abcdef"},
            {"CallStatus", "in-progress"},
            {"To", kPerson},
            {"From", kOurs},
            {"Digits", key}};
  }
  http::Response Ask(const std::string& target, const FormFields& fields,
                     const Secret& token = Secret("token-of-the-account")) {
    http::Response answer{.status = 0};
    webhooks.Handle(
        {.method = "POST",
         .target = target,
         .headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                     {"X-Twilio-Signature", twilio::Sign(token, kPublicUrl + target, fields)}},
         .body = FormEncode(fields)},
        http::Responder([&](http::Response given) { answer = std::move(given); }));
    return answer;
  }
  http::Response Press(const std::string& key, int round = 1) {
    return Ask("/twilio/voice/gather/" + Token() + kTrace + "&round=" + std::to_string(round),
               Form(key));
  }
  // What a mark meets that somebody else sets now.
  Marked Mark() {
    Result<Marked> met;
    admissions.Mark({.alert_id = name.alert_id(),
                     .client_id = "demo",
                     .mark = MarkRequest::Mark::kAcknowledged,
                     .time = clock.Now(),
                     .by = "somebody else"},
                    [&](Result<Marked> marked) { met = std::move(marked); });
    return *met;
  }
  std::vector<v1::WebhookRecord> Published() const {
    return log.On<v1::WebhookRecord>(topics.Webhooks());
  }

  ManualClock clock;
  RegistrySource registry{Built(WithVoice())};
  FakeVault vault;
  FakeRecordLog log;
  Topics topics;
  const v1::TryName name = AName();
  FakeWorks works;
  std::vector<Verdict> verdicts;
  FakeAdmissions admissions;
  Marking marking{{clock, admissions, log, topics}};
  Webhooks webhooks{{clock, registry, vault, log, topics, works, marking},
                    kPublicUrl,
                    {.answered = [this](Verdict verdict, v1::WebhookKind, std::string_view) {
                      verdicts.push_back(verdict);
                    }}};
};

TEST_F(CallsTest, AreGivenTheirTextBehindTheLinkOfTheirTry) {  // V1
  const http::Response answer = Ask("/twilio/voice/twiml/" + Token() + kTrace, Form(""));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "text/xml");
  EXPECT_THAT(answer.body, HasSubstr("<Say language=\"de-DE\">Boiler 3 is too hot, code 4 7 1 1<"));
  EXPECT_THAT(answer.body,
              HasSubstr("/twilio/voice/gather/" + Token() + "?traceparent=00-" + kTraceId));
  EXPECT_THAT(answer.body, HasSubstr("-01&amp;round=1#rc=5&amp;"));
  ASSERT_THAT(works.asked, SizeIs(1));
  EXPECT_EQ(works.asked[0].topic(), topics.Lane(v1::CHANNEL_VOICE, v1::ALERT_CLASS_HIGH));
  EXPECT_EQ(works.asked[0].offset(), 42);
}

TEST_F(CallsTest, AreAcknowledgedByOneAndHearIt) {  // V4, V5
  const http::Response answer = Press("1");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("Die Meldung ist bestätigt"));
  EXPECT_THAT(answer.body, HasSubstr("<Hangup/>"));
  const auto events = log.On<v1::Event>(topics.Events());
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].acknowledged().by(), "a key press");
  EXPECT_EQ(events[0].try_().alert_id(), name.alert_id());
  EXPECT_EQ(events[0].client_id(), "demo");
  EXPECT_FALSE(Mark().first);  // nothing that waits begins any more
  EXPECT_EQ(Mark().by, "a key press");
  ASSERT_THAT(Published(), SizeIs(1));
  EXPECT_EQ(Published()[0].provider_status(), "1");
}

TEST_F(CallsTest, AreAcknowledgedOnceHoweverOftenTheRequestComes) {  // W5
  Press("1");
  clock.Advance(std::chrono::seconds(2));
  Press("1");
  Press("1", 2);
  const auto events = log.On<v1::Event>(topics.Events());
  ASSERT_THAT(events, SizeIs(3));
  EXPECT_EQ(events[0].event_id(), events[1].event_id());
  EXPECT_EQ(events[0].event_id(), events[2].event_id());
  EXPECT_EQ(Published()[0].webhook_id(), Published()[1].webhook_id());
}

TEST_F(CallsTest, LeaveOneRecordOfTheSameKeyForEachRound) {  // V4, W5
  Press("2", 1);
  Press("2", 1);  // Twilio's repetition
  Press("2", 2);
  ASSERT_THAT(Published(), SizeIs(3));
  EXPECT_EQ(Published()[0].webhook_id(), Published()[1].webhook_id());
  EXPECT_NE(Published()[0].webhook_id(), Published()[2].webhook_id());
}

TEST_F(CallsTest, AreAcknowledgedInTheLogAlsoWhenNobodyCanMarkTheAlert) {  // V4, R6
  for (const auto& breaks : std::vector<std::function<void()>>{
           [&] { admissions.SetDown(true); }, [&] { works.known.reset(); },
           [&] { works.known->set_client_id("another"); }}) {
    works.known = Work();
    breaks();
    const size_t before = log.On<v1::Event>(topics.Events()).size();
    EXPECT_EQ(Press("1").status, 200);
    const auto events = log.On<v1::Event>(topics.Events());
    ASSERT_THAT(events, SizeIs(before + 1));
    EXPECT_EQ(events.back().acknowledged().by(), "a key press");
    EXPECT_EQ(TryText(events.back().try_()), TryText(name));
    admissions.SetDown(false);
  }
  EXPECT_TRUE(Mark().first);
}

TEST_F(CallsTest, AreAskedAgainWhenTheLogDoesNotTakeTheirKey) {  // W5
  log.EndWith(PublishOutcome::kUnknown);
  EXPECT_EQ(Press("1").status, 503);
  log.EndWith(PublishOutcome::kPersisted);
  EXPECT_EQ(Press("1").status, 200);
  EXPECT_EQ(log.On<v1::Event>(topics.Events()).back().acknowledged().by(), "a key press");
}

TEST_F(CallsTest, MarkNothingByAnyOtherKey) {  // V4
  for (const char* key : {"2", "3", "9", "7", ""}) Press(key);
  EXPECT_TRUE(Mark().first);
  EXPECT_THAT(log.On<v1::Event>(topics.Events()), IsEmpty());
}

TEST_F(CallsTest, OptOutByNineBeforeTheyHearThatTheyDid) {  // S4, V4
  EXPECT_EQ(Press("9").status, 200);
  const auto consents = log.On<v1::ConsentRecord>(topics.Consents());
  ASSERT_THAT(consents, SizeIs(1));
  EXPECT_EQ(consents[0].state(), v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(consents[0].source(), "keypad");
  EXPECT_EQ(consents[0].sender(), kOurs);
  log.EndWith(PublishOutcome::kNotPersisted);
  EXPECT_EQ(Press("9").status, 503);
}

TEST_F(CallsTest, HearTheAlertAgainUntilTheirRoundsAreOver) {  // V4
  EXPECT_THAT(Press("2", 1).body, HasSubstr("&amp;round=2#"));
  EXPECT_THAT(Press("7", 2).body, HasSubstr("Diese Taste hat hier keine Bedeutung"));
  EXPECT_THAT(Press("", 2).body, HasSubstr("keine Taste gedrückt"));
  for (const char* key : {"2", "7", ""}) {
    EXPECT_THAT(Press(key, 3).body, HasSubstr("Auf Wiederhören"));
    EXPECT_THAT(Press(key, 3).body, Not(HasSubstr("Boiler")));
  }
}

TEST_F(CallsTest, AreNotMadeLongerByAStrangeRound) {  // P8
  for (const char* query :
       {"", "&round=", "&round=0", "&round=4", "&round=-1", "&round=11", "&x=1"})
    EXPECT_THAT(Ask("/twilio/voice/gather/" + Token() + kTrace + query, Form("2")).body,
                Not(HasSubstr("Boiler")))
        << query;
}

TEST_F(CallsTest, HearThatTheirKeyCountsAlsoWhenTheirTextIsNotToBeHad) {  // V4
  works.known.reset();
  EXPECT_THAT(Press("1").body, HasSubstr("acknowledged"));
  EXPECT_EQ(Press("2").status, 503);  // Twilio asks again
  EXPECT_EQ(Ask("/twilio/voice/twiml/" + Token(), Form("")).status, 503);
}

TEST_F(CallsTest, AreRefusedWithoutATokenOfOursForACallThatIsYoungEnough) {  // W1, P8
  std::string forged = Token();
  forged[10] = forged[10] == 'A' ? 'B' : 'A';
  const std::string of_a_message = Token(v1::CHANNEL_SMS);
  const std::string old = Token();
  clock.Advance(std::chrono::hours(49));
  for (const std::string& token : {forged, std::string("x"), std::string(), of_a_message, old})
    for (const char* route : {"gather", "twiml"})
      EXPECT_EQ(Ask(std::string("/twilio/voice/") + route + "/" + token, Form("1")).status, 403);
  EXPECT_EQ(Ask("/twilio/voice/gather", Form("1")).status, 403);
  EXPECT_THAT(log.Records(), IsEmpty());
  EXPECT_THAT(works.asked, IsEmpty());
}

TEST_F(CallsTest, AreRefusedWithAForeignSignature) {  // W1
  EXPECT_EQ(Ask("/twilio/voice/gather/" + Token(), Form("1"), Secret("a-guess")).status, 403);
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(CallsTest, AreRefusedWhileTheirChannelIsSwitchedOff) {  // L6
  RegistrySnapshot::Content content = WithVoice();
  content.voice = ChannelMode::kDisabled;
  registry.Swap(Built(content));
  EXPECT_EQ(Press("1").status, 403);
  EXPECT_EQ(Ask("/twilio/voice/status/" + Token(), Form("")).status, 403);
  EXPECT_THAT(verdicts, ElementsAre(Verdict::kClosed, Verdict::kClosed));
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(CallsTest, LeaveNothingReadableInTheLog) {  // P1
  for (const char* key : {"1", "2", "9"}) Press(key);
  for (const OutgoingRecord& record : log.Records())
    for (const char* planted : {"5145550123", "Boiler"})
      EXPECT_THAT(record.value, Not(HasSubstr(planted)));
}

Result<v1::WorkRecord> Found(WorkFinder& finder, const v1::TryName& name) {
  std::mutex mutex;
  std::condition_variable answered;
  std::optional<Result<v1::WorkRecord>> given;
  finder.Find(name, {}, [&](Result<v1::WorkRecord> found) {
    const std::lock_guard lock(mutex);
    given = std::move(found);
    answered.notify_one();
  });
  std::unique_lock lock(mutex);
  answered.wait(lock, [&] { return given.has_value(); });
  return *given;
}

TEST_F(CallsTest, AreFoundInTheLogWhenTheStoreIsDownOrHoldsAnotherTry) {  // V4
  v1::WorkRecord later = Work();
  later.mutable_try_()->set_try_(3);
  std::optional<std::string> kept = later.SerializeAsString();
  bool down = false;
  WorkFinder finder({.store = [&](const v1::TryName&) -> Result<std::optional<std::string>> {
                       if (down) return Fail(ErrorCode::kRedisUnavailable, "down");
                       return kept;
                     },
                     .log = [&](const v1::Position&) -> Result<std::optional<std::string>> {
                       return std::optional(Work().SerializeAsString());
                     }});
  EXPECT_EQ(Found(finder, name)->try_().try_(), 2u);
  down = true;
  EXPECT_EQ(Found(finder, name)->try_().try_(), 2u);
  v1::TryName other = name;
  other.set_step(4);
  EXPECT_EQ(Found(finder, other).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace tocsin::ingress
