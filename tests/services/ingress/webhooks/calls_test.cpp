// Requests during calls: the text, the keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>

#include "common/domain/alert/ids.h"
#include "common/ports/sealed_content.h"
#include "common/twilio/webhooks/attempt_token.h"
#include "common/twilio/webhooks/signature.h"
#include "services/ingress/webhooks/webhooks.h"
#include "services/ingress/webhooks/work_finder.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_history.h"
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

// Calls back on the caller's thread.
class FakeWorks final : public WorkLookup {
 public:
  void Find(const v1::AttemptRef&, const records::v1::Position& position,
            std::function<void(Result<records::v1::WorkRecord>)> done) override {
    lookups.push_back(position);
    if (work)
      done(*work);
    else
      done(Fail(ErrorCode::kNotFound, "work record not found"));
  }
  std::optional<records::v1::WorkRecord> work;
  std::vector<records::v1::Position> lookups;
};

class CallsTest : public testing::Test {
 protected:
  CallsTest() {
    works.work = Work();
    admissions.Admit({.alert_id = attempt.alert_id(),
                      .client_id = "demo",
                      .idempotency_digest = "a key",
                      .request_digest = {},
                      .nonce = {},
                      .create_time = clock.Now(),
                      .expire_time = clock.Now() + std::chrono::hours(1)},
                     [](const Result<Admission>&) {});
  }

  static RegistrySnapshot::Content WithVoice() {
    RegistrySnapshot::Content content = TestRegistry();
    content.voice = ChannelMode::kLive;
    return content;
  }
  records::v1::WorkRecord Work() {
    records::v1::WorkRecord work;
    *work.mutable_attempt() = attempt;
    work.set_client_id("demo");
    work.mutable_voice()->set_language_code("de-DE");
    records::v1::Content content;
    content.set_text(kText);
    EXPECT_TRUE(SealContent(vault, content, work));
    return work;
  }
  v1::AttemptRef AnAttempt() const {
    v1::AttemptRef made;
    made.set_alert_id(NewAlertId(clock.Now(), "0123456789"));
    made.set_step(1);
    made.set_attempt(2);
    return made;
  }
  std::string Token(v1::Channel channel = v1::CHANNEL_VOICE) {
    return *twilio::MakeAttemptToken(vault, {.attempt = attempt,
                                             .channel = channel,
                                             .priority = v1::PRIORITY_HIGH,
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
  http::Response Post(const std::string& target, const FormFields& fields,
                      const Secret& token = Secret("token-of-the-account")) {
    http::Response response{.status = 0};
    webhooks.Handle(
        {.method = "POST",
         .target = target,
         .headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                     {"X-Twilio-Signature", twilio::Sign(token, kPublicUrl + target, fields)}},
         .body = FormEncode(fields)},
        http::Responder([&](http::Response sent) { response = std::move(sent); }));
    return response;
  }
  http::Response Press(const std::string& key, int round = 1) {
    return Post("/twilio/voice/gather/" + Token() + kTrace + "&round=" + std::to_string(round),
                Form(key));
  }
  // The result of another acknowledgement.
  MarkResult Mark() {
    admissions.SetClaimed(attempt.alert_id());
    Result<MarkResult> result;
    admissions.Mark({.alert_id = attempt.alert_id(),
                     .client_id = "demo",
                     .mark = MarkRequest::Mark::kAcknowledged,
                     .time = clock.Now(),
                     .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                     .actor_id = "ann"},
                    [&](Result<MarkResult> marked) { result = std::move(marked); });
    return *result;
  }
  std::vector<records::v1::WebhookRecord> Published() const {
    return log.On<records::v1::WebhookRecord>(topics.Webhooks());
  }

  ManualClock clock;
  RegistrySource registry{Built(WithVoice())};
  FakeVault vault;
  FakeRecordLog log;
  Topics topics;
  const v1::AttemptRef attempt = AnAttempt();
  FakeWorks works;
  std::vector<WebhookResult> results;
  FakeAdmissions admissions;
  FakeRecordHistory history;
  LogStartCheck start_check{history};
  AlertActions alert_actions{{clock, registry, admissions, vault, log, topics, start_check}};
  Webhooks webhooks{{clock, registry, vault, log, topics, works, alert_actions},
                    kPublicUrl,
                    {.result = [this](WebhookResult result, records::v1::WebhookKind,
                                      records::v1::SigningToken) { results.push_back(result); }}};
};

TEST_F(CallsTest, GetTheirTextByTheUrlOfTheirAttempt) {  // V1
  const http::Response response = Post("/twilio/voice/twiml/" + Token() + kTrace, Form(""));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/xml");
  EXPECT_THAT(response.body,
              HasSubstr("<Say language=\"de-DE\">Boiler 3 is too hot, code 4 7 1 1<"));
  EXPECT_THAT(response.body,
              HasSubstr("/twilio/voice/gather/" + Token() + "?traceparent=00-" + kTraceId));
  EXPECT_THAT(response.body, HasSubstr("-01&amp;round=1#rc=5&amp;"));
  ASSERT_THAT(works.lookups, SizeIs(1));
  EXPECT_EQ(works.lookups[0].topic(), topics.Lane(v1::CHANNEL_VOICE, v1::PRIORITY_HIGH));
  EXPECT_EQ(works.lookups[0].offset(), 42);
}

TEST_F(CallsTest, AcknowledgeByKeyOneAndConfirmIt) {  // V4, V5
  const http::Response response = Press("1");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr("Die Meldung ist bestätigt"));
  EXPECT_THAT(response.body, HasSubstr("<Hangup/>"));
  const auto events = log.On<records::v1::Event>(topics.Events());
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].acknowledged().method(), v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS);
  EXPECT_EQ(events[0].acknowledged().actor_id(), "");
  EXPECT_EQ(events[0].acknowledged().step(), attempt.step());
  EXPECT_EQ(events[0].acknowledged().evidence(), "CA0123456789abcdef0123456789abcdef");
  EXPECT_EQ(events[0].attempt().alert_id(), attempt.alert_id());
  EXPECT_EQ(events[0].client_id(), "demo");
  EXPECT_FALSE(Mark().newly_marked);  // attempts that wait do not start any more
  EXPECT_EQ(Mark().method, v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS);
  ASSERT_THAT(Published(), SizeIs(1));
  EXPECT_EQ(Published()[0].provider_status(), "1");
}

TEST_F(CallsTest, PublishOneAcknowledgementForRepeatedRequests) {  // W5
  Press("1");
  clock.Advance(std::chrono::seconds(2));
  Press("1");
  Press("1", 2);
  const auto events = log.On<records::v1::Event>(topics.Events());
  ASSERT_THAT(events, SizeIs(3));
  EXPECT_EQ(events[0].event_id(), events[1].event_id());
  EXPECT_EQ(events[0].event_id(), events[2].event_id());
  EXPECT_EQ(Published()[0].webhook_id(), Published()[1].webhook_id());
}

TEST_F(CallsTest, PublishOneRecordOfAKeyPerRound) {  // V4, W5
  Press("2", 1);
  Press("2", 1);  // repeated by Twilio
  Press("2", 2);
  ASSERT_THAT(Published(), SizeIs(3));
  EXPECT_EQ(Published()[0].webhook_id(), Published()[1].webhook_id());
  EXPECT_NE(Published()[0].webhook_id(), Published()[2].webhook_id());
}

TEST_F(CallsTest, PublishTheAcknowledgementEvenIfTheAlertCannotBeMarked) {  // V4, R6
  for (const auto& change : std::vector<std::function<void()>>{
           [&] { admissions.SetDown(true); }, [&] { works.work.reset(); },
           [&] { works.work->set_client_id("another"); }}) {
    works.work = Work();
    change();
    const size_t before = log.On<records::v1::Event>(topics.Events()).size();
    EXPECT_EQ(Press("1").status, 200);
    const auto events = log.On<records::v1::Event>(topics.Events());
    ASSERT_THAT(events, SizeIs(before + 1));
    EXPECT_EQ(events.back().acknowledged().method(), v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS);
    EXPECT_EQ(events.back().acknowledged().evidence(), "CA0123456789abcdef0123456789abcdef");
    EXPECT_EQ(AttemptText(events.back().attempt()), AttemptText(attempt));
    admissions.SetDown(false);
  }
  EXPECT_TRUE(Mark().newly_marked);
}

TEST_F(CallsTest, PublishAnEventForEachRequestWhileTheAlertCannotBeMarked) {  // W5
  admissions.SetDown(true);
  Press("1");
  clock.Advance(std::chrono::seconds(2));
  Press("1");  // repeated by Twilio
  const auto events = log.On<records::v1::Event>(topics.Events());
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_NE(events[0].time_us(), events[1].time_us());
  EXPECT_NE(events[0].event_id(), events[1].event_id()) << "events with equal ids are equal";
}

TEST_F(CallsTest, GetAnErrorWhileTheLogDoesNotRespond) {  // W5
  log.SetOutcome(PublishOutcome::kUnknown);
  EXPECT_EQ(Press("1").status, 503);
  log.SetOutcome(PublishOutcome::kPersisted);
  EXPECT_EQ(Press("1").status, 200);
  EXPECT_EQ(log.On<records::v1::Event>(topics.Events()).back().acknowledged().method(),
            v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS);
}

TEST_F(CallsTest, AcknowledgeByNoOtherKey) {  // V4
  for (const char* key : {"2", "3", "9", "7", ""}) Press(key);
  EXPECT_TRUE(Mark().newly_marked);
  EXPECT_THAT(log.On<records::v1::Event>(topics.Events()), IsEmpty());
}

TEST_F(CallsTest, OptOutByKeyNineBeforeItIsConfirmed) {  // S4, V4
  EXPECT_EQ(Press("9").status, 200);
  const auto consents = log.On<records::v1::ConsentRecord>(topics.Consents());
  ASSERT_THAT(consents, SizeIs(1));
  EXPECT_EQ(consents[0].state(), records::v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(consents[0].source(), records::v1::CONSENT_SOURCE_KEYPRESS);
  EXPECT_EQ(consents[0].sender_address(), kOurs);
  log.SetOutcome(PublishOutcome::kNotPersisted);
  EXPECT_EQ(Press("9").status, 503);
}

TEST_F(CallsTest, RepeatTheAlertUntilTheLastRound) {  // V4
  EXPECT_THAT(Press("2", 1).body, HasSubstr("&amp;round=2#"));
  EXPECT_THAT(Press("7", 2).body, HasSubstr("Diese Taste hat hier keine Bedeutung"));
  EXPECT_THAT(Press("", 2).body, HasSubstr("keine Taste gedrückt"));
  for (const char* key : {"2", "7", ""}) {
    EXPECT_THAT(Press(key, 3).body, HasSubstr("Auf Wiederhören"));
    EXPECT_THAT(Press(key, 3).body, Not(HasSubstr("Boiler")));
  }
}

TEST_F(CallsTest, EndAtAnInvalidRound) {  // P8
  for (const char* query :
       {"", "&round=", "&round=0", "&round=4", "&round=-1", "&round=11", "&x=1"})
    EXPECT_THAT(Post("/twilio/voice/gather/" + Token() + kTrace + query, Form("2")).body,
                Not(HasSubstr("Boiler")))
        << query;
}

TEST_F(CallsTest, ConfirmAKeyWithoutTheWorkRecord) {  // V4
  works.work.reset();
  EXPECT_THAT(Press("1").body, HasSubstr("acknowledged"));
  EXPECT_EQ(Press("2").status, 503);  // Twilio repeats the request
  EXPECT_EQ(Post("/twilio/voice/twiml/" + Token(), Form("")).status, 503);
}

TEST_F(CallsTest, AreRefusedWithoutAValidAndRecentToken) {  // W1, P8
  std::string invalid = Token();
  invalid[10] = invalid[10] == 'A' ? 'B' : 'A';
  const std::string of_a_message = Token(v1::CHANNEL_SMS);
  const std::string old = Token();
  clock.Advance(std::chrono::hours(49));
  for (const std::string& token : {invalid, std::string("x"), std::string(), of_a_message, old})
    for (const char* route : {"gather", "twiml"})
      EXPECT_EQ(Post(std::string("/twilio/voice/") + route + "/" + token, Form("1")).status, 403);
  EXPECT_EQ(Post("/twilio/voice/gather", Form("1")).status, 403);
  EXPECT_THAT(log.Records(), IsEmpty());
  EXPECT_THAT(works.lookups, IsEmpty());
}

TEST_F(CallsTest, AreRefusedWithAnInvalidSignature) {  // W1
  EXPECT_EQ(Post("/twilio/voice/gather/" + Token(), Form("1"), Secret("a-guess")).status, 403);
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(CallsTest, AreRefusedWhileTheirChannelIsDisabled) {  // L6
  RegistrySnapshot::Content content = WithVoice();
  content.voice = ChannelMode::kDisabled;
  registry.Swap(Built(content));
  EXPECT_EQ(Press("1").status, 403);
  EXPECT_EQ(Post("/twilio/voice/status/" + Token(), Form("")).status, 403);
  EXPECT_THAT(results,
              ElementsAre(WebhookResult::kChannelDisabled, WebhookResult::kChannelDisabled));
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(CallsTest, PublishNothingReadable) {  // P1
  for (const char* key : {"1", "2", "9"}) Press(key);
  for (const OutgoingRecord& record : log.Records())
    for (const char* planted : {"5145550123", "Boiler"})
      EXPECT_THAT(record.value, Not(HasSubstr(planted)));
}

Result<records::v1::WorkRecord> Find(WorkFinder& finder, const v1::AttemptRef& attempt) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<records::v1::WorkRecord>> result;
  finder.Find(attempt, {}, [&](Result<records::v1::WorkRecord> found) {
    const std::lock_guard lock(mutex);
    result = std::move(found);
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return result.has_value(); });
  return *result;
}

TEST_F(CallsTest, FindTheirWorkInTheLogIfTheStoreDoesNotHaveIt) {  // V4
  records::v1::WorkRecord later = Work();
  later.mutable_attempt()->set_attempt(3);
  const std::optional<std::string> stored = later.SerializeAsString();
  bool down = false;
  WorkFinder finder(
      {.store = [&](const v1::AttemptRef&) -> Result<std::optional<std::string>> {
         if (down) return Fail(ErrorCode::kRedisUnavailable, "down");
         return stored;
       },
       .log = [&](const records::v1::Position&) -> Result<std::optional<std::string>> {
         return std::optional(Work().SerializeAsString());
       }},
      clock);
  EXPECT_EQ(Find(finder, attempt)->attempt().attempt(), 2);
  down = true;
  EXPECT_EQ(Find(finder, attempt)->attempt().attempt(), 2);
  v1::AttemptRef other = attempt;
  other.set_step(4);
  EXPECT_EQ(Find(finder, other).error().code, ErrorCode::kNotFound);
}

// By then Twilio has given up. A search would only delay those behind it.
TEST_F(CallsTest, AreAnsweredWithoutALookupThatWouldBeTooLate) {  // V4
  std::latch blocked(WorkFinder::kThreads), release(1);
  std::atomic<size_t> searches = 0;
  WorkFinder finder({.store = [&](const v1::AttemptRef&) -> Result<std::optional<std::string>> {
                       if (++searches <= WorkFinder::kThreads) {
                         blocked.count_down();
                         release.wait();
                       }
                       return std::optional(Work().SerializeAsString());
                     },
                     .log = [](const records::v1::Position&) -> Result<std::optional<std::string>> {
                       return std::nullopt;
                     }},
                    clock);
  for (size_t i = 0; i < WorkFinder::kThreads; ++i)
    finder.Find(attempt, {}, [](const Result<records::v1::WorkRecord>&) {});
  blocked.wait();
  std::promise<Result<records::v1::WorkRecord>> late;
  finder.Find(attempt, {},
              [&](Result<records::v1::WorkRecord> found) { late.set_value(std::move(found)); });
  clock.Advance(WorkFinder::kMaxWait);
  release.count_down();
  EXPECT_EQ(late.get_future().get().error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(searches, WorkFinder::kThreads);
  EXPECT_TRUE(Find(finder, attempt));
}

}  // namespace
}  // namespace tocsin::ingress
