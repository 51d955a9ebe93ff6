#include "services/ingress/webhooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/domain/folding.h"
#include "common/domain/ids.h"
#include "common/twilio/signature.h"
#include "common/twilio/try_token.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"
#include "tests/services/ingress/held_log.h"

namespace tocsin::ingress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* kPublicUrl = "https://alerts.example.com/hooks";
constexpr const char* kPerson = "+15145550123";
constexpr const char* kOurs = "+15017122661";
constexpr const char* kService = "MG0123456789abcdef0123456789abcdef";
constexpr const char* kSid = "SM0123456789abcdef0123456789abcdef";

FormFields StatusForm(const std::string& status = "delivered") {
  return {{"AccountSid", kTestAccount},
          {"MessageSid", kSid},
          {"MessageStatus", status},
          {"To", kPerson},
          {"From", kOurs},
          {"ApiVersion", "2010-04-01"}};
}

FormFields InboundForm(const std::string& body) {
  return {{"AccountSid", kTestAccount},
          {"MessageSid", kSid},
          {"SmsStatus", "received"},
          {"From", kPerson},
          {"To", kOurs},
          {"Body", body}};
}

// No request here is of a call under way.
class NoWorks final : public WorkLookup {
 public:
  void Find(const v1::TryName&, const v1::Position&,
            std::function<void(Result<v1::WorkRecord>)> answer) override {
    answer(Fail(ErrorCode::kNotFound, "nobody has it"));
  }
};

class WebhooksTest : public testing::Test {
 protected:
  static RegistrySnapshot::Content Rotating() {
    RegistrySnapshot::Content content = TestRegistry();
    content.voice = ChannelMode::kLive;
    content.accounts[0].secondary_auth_token = Secret("token-to-come");
    return content;
  }

  static http::Request Signed(const std::string& target, const FormFields& fields,
                              const Secret& token = Secret("token-of-the-account")) {
    return {.method = "POST",
            .target = target,
            .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"},
                        {"X-Twilio-Signature", twilio::Sign(token, kPublicUrl + target, fields)}},
            .body = FormEncode(fields)};
  }

  Webhooks By(RecordLog& used) {
    return Webhooks({clock, registry, vault, used, topics, works, marking}, kPublicUrl,
                    {.answered = [this](Verdict verdict, v1::WebhookKind, std::string_view) {
                      verdicts.push_back(verdict);
                    }});
  }
  http::Response Handle(http::Request request) {
    http::Response answer{.status = 0};
    webhooks.Handle(std::move(request),
                    http::Responder([&](http::Response given) { answer = std::move(given); }));
    return answer;
  }

  std::vector<v1::WebhookRecord> Published() const {
    return log.On<v1::WebhookRecord>(topics.Webhooks());
  }
  std::vector<v1::ConsentRecord> Consents() const {
    return log.On<v1::ConsentRecord>(topics.Consents());
  }

  std::string Token() {
    return *twilio::MakeTryToken(vault, {.name = name,
                                         .channel = v1::CHANNEL_SMS,
                                         .alert_class = v1::ALERT_CLASS_HIGH,
                                         .partition = 7,
                                         .offset = 42,
                                         .time = clock.Now()});
  }
  v1::TryName AName() const {
    v1::TryName made;
    made.set_alert_id(NewAlertId(clock.Now(), "0123456789"));
    made.set_step(1);
    made.set_try_(2);
    return made;
  }

  ManualClock clock;
  RegistrySource registry{Built(Rotating())};
  FakeVault vault;
  FakeRecordLog log;
  Topics topics;
  NoWorks works;
  FakeAdmissions admissions;
  Marking marking{{clock, admissions, log, topics}};
  const v1::TryName name = AName();
  std::vector<Verdict> verdicts;
  Webhooks webhooks = By(log);
};

TEST_F(WebhooksTest, LeadsTheTraceOfItsCallbackUrlToEveryRecord) {  // O3
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-", query = "?traceparent=" + trace;
  FormFields stopped = StatusForm("failed");
  stopped.emplace_back("ErrorCode", "21610");
  EXPECT_EQ(Handle(Signed("/twilio/sms/status" + query + "00f067aa0ba902b7-01", stopped)).status,
            204);
  EXPECT_EQ(Handle(Signed("/twilio/sms/status?traceparent=x", StatusForm())).status, 204);
  std::vector<std::string> led;
  for (const OutgoingRecord& record : log.Records())
    for (const auto& [header, value] : record.headers)
      if (header == kHeaderTraceparent) led.push_back(value);
  ASSERT_THAT(led, SizeIs(3));  // the consent and both webhooks
  EXPECT_THAT(led[0], StartsWith(trace));
  EXPECT_EQ(led[1], led[0]) << "one step for what came in together";
  EXPECT_THAT(led[2], Not(StartsWith(trace)));
}

TEST_F(WebhooksTest, TellsHowLongADeliveryTook) {  // O1
  std::vector<Micros> took;
  WebhookObserver observer;
  observer.delivered = [&](Micros after) { took.push_back(after); };
  Webhooks watched({clock, registry, vault, log, topics, works, marking}, kPublicUrl, observer);
  const std::string target = "/twilio/sms/status/" + Token();
  clock.Advance(std::chrono::seconds(4));
  for (const char* status : {"sent", "delivered"})
    watched.Handle(Signed(target, StatusForm(status)), http::Responder([](http::Response) {}));
  EXPECT_THAT(took, ElementsAre(Micros(std::chrono::seconds(4))));
}

TEST_F(WebhooksTest, AnswersASignedStatusOnlyAfterItIsOnDisk) {  // W1, W4
  HeldLog held(log);
  Webhooks waiting = By(held);
  std::optional<int> status;
  waiting.Handle(
      Signed("/twilio/sms/status", StatusForm()),
      http::Responder([&](const http::Response& response) { status = response.status; }));
  EXPECT_EQ(status, std::nullopt);
  ASSERT_EQ(held.Held(), 1u);
  held.ReleaseOne();
  EXPECT_EQ(status, 204);
  ASSERT_THAT(Published(), SizeIs(1));
  EXPECT_EQ(Published()[0].provider_status(), "delivered");
  EXPECT_EQ(Published()[0].signed_by(), "primary");
  EXPECT_THAT(verdicts, ElementsAre(Verdict::kPublished));
}

TEST_F(WebhooksTest, AsksTwilioToComeAgainWhenTheLogIsDown) {  // W4
  for (const auto outcome : {PublishOutcome::kNotPersisted, PublishOutcome::kUnknown}) {
    log.EndWith(outcome);
    const http::Response answer = Handle(Signed("/twilio/sms/status", StatusForm()));
    EXPECT_EQ(answer.status, 503);
    ASSERT_THAT(answer.headers, SizeIs(1));
    EXPECT_EQ(answer.headers[0].name, "Retry-After");
  }
  EXPECT_THAT(verdicts, ElementsAre(Verdict::kUnavailable, Verdict::kUnavailable));
}

TEST_F(WebhooksTest, AsksTwilioToComeAgainWhenThereAreNoKeysAndPublishesNothing) {  // P1
  vault.keys_unavailable = true;
  EXPECT_EQ(Handle(Signed("/twilio/sms/status", StatusForm())).status, 503);
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(WebhooksTest, LeavesNothingReadableInTheLog) {  // P1, W6
  Handle(Signed("/twilio/sms/inbound", InboundForm("my boiler exploded")));
  ASSERT_THAT(Published(), SizeIs(1));
  for (const OutgoingRecord& record : log.Records())
    for (const char* planted : {"5145550123", "exploded"}) {
      EXPECT_THAT(record.value, Not(HasSubstr(planted)));
      EXPECT_THAT(record.key, Not(HasSubstr(planted)));
    }
  const v1::WebhookRecord record = Published()[0];
  EXPECT_EQ(record.recipient().last_four(), "0123");
  const auto form =
      vault.Open({kTestAccount, record.webhook_id(), "form"}, record.key(), record.form());
  ASSERT_TRUE(form);
  EXPECT_EQ(form->Reveal(), FormEncode(InboundForm("my boiler exploded")));
}

struct Refusal {
  const char* name;
  int status;
  Verdict verdict;
  void (*spoil)(http::Request&);
};

class RefusedWebhook : public WebhooksTest, public testing::WithParamInterface<Refusal> {};

TEST_P(RefusedWebhook, IsAnsweredAndLeavesNoTrace) {  // W1, P8
  http::Request request = Signed("/twilio/sms/status", StatusForm());
  GetParam().spoil(request);
  const http::Response answer = Handle(std::move(request));
  EXPECT_EQ(answer.status, GetParam().status);
  EXPECT_THAT(answer.body, IsEmpty());
  EXPECT_THAT(log.Records(), IsEmpty());
  EXPECT_THAT(verdicts, ElementsAre(GetParam().verdict));
}

const Refusal kRefusals[] = {
    {"UnknownPath", 404, Verdict::kUnknownPath,
     [](auto& r) { r.target = "/twilio/sms/statusquo"; }},
    {"PathOfNoRoute", 404, Verdict::kUnknownPath, [](auto& r) { r.target = "/"; }},
    {"TokenWhereNoneIsTaken", 404, Verdict::kUnknownPath,
     [](auto& r) { r.target = "/twilio/sms/inbound/abc"; }},
    {"WrongMethod", 405, Verdict::kWrongMethod, [](auto& r) { r.method = "GET"; }},
    {"Unsigned", 403, Verdict::kUnsigned, [](auto& r) { r.headers.pop_back(); }},
    {"SignedTwice", 403, Verdict::kUnsigned,
     [](auto& r) { r.headers.push_back(http::Header(r.headers[1])); }},
    {"EmptySignature", 403, Verdict::kForged, [](auto& r) { r.headers[1].value.clear(); }},
    {"ChangedBody", 403, Verdict::kForged, [](auto& r) { r.body += "&More=1"; }},
    {"ChangedTarget", 403, Verdict::kForged, [](auto& r) { r.target += "?more=1"; }},
    {"TokenOfAStranger", 403, Verdict::kForged,
     [](auto& r) {
       r.headers[1].value = twilio::Sign(Secret("a-guess"), kPublicUrl + r.target, StatusForm());
     }},
    {"EmptyToken", 403, Verdict::kForged,
     [](auto& r) {
       r.headers[1].value = twilio::Sign(Secret(), kPublicUrl + r.target, StatusForm());
     }},
    {"AnotherAccountsName", 403, Verdict::kForged,
     [](auto& r) { r.body.replace(r.body.find("0001"), 4, "0002"); }},
    {"JsonWithoutItsHash", 403, Verdict::kForged,
     [](auto& r) { r.headers[0].value = "application/json"; }},
    {"WrongType", 415, Verdict::kWrongType, [](auto& r) { r.headers[0].value = "text/plain"; }},
    {"NoType", 415, Verdict::kWrongType, [](auto& r) { r.headers.erase(r.headers.begin()); }},
    {"BrokenEscape", 400, Verdict::kUnreadable, [](auto& r) { r.body = "AccountSid=%zz"; }},
    {"TooManyFields", 400, Verdict::kUnreadable,
     [](auto& r) {
       for (int i = 0; i < 200; ++i) r.body += "&f=1";
     }},
};
INSTANTIATE_TEST_SUITE_P(Each, RefusedWebhook, testing::ValuesIn(kRefusals),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(WebhooksTest, PublishesWhatATokenOfOursSignedHoweverStrangeItIs) {  // W1, W4
  FormFields unknown = StatusForm();
  unknown[0].second = "AC00000000000000000000000000000002";
  FormFields nameless = StatusForm();
  nameless.erase(nameless.begin());
  for (const FormFields& fields : {unknown, nameless, FormFields{{"Digits", ""}}, FormFields{}})
    EXPECT_EQ(Handle(Signed("/twilio/sms/status", fields)).status, 204);
  ASSERT_THAT(Published(), SizeIs(4));
  EXPECT_EQ(Published()[0].account_sid(), kTestAccount);  // whose token it was, not what it says
  EXPECT_EQ(Published()[2].kind(), v1::WEBHOOK_KIND_UNSPECIFIED);
  EXPECT_NE(Published()[2].webhook_id(), Published()[3].webhook_id());
}

TEST_F(WebhooksTest, TakesAJsonBodyWhoseHashStandsInTheSignedUrl) {  // W1
  http::Request request = Signed("/twilio/sms/status", {});
  request.headers[0].value = "application/json";
  request.body = R"({"property": "value"})";
  const std::string url = twilio::WithBodyHash(kPublicUrl + request.target, request.body);
  request.target = url.substr(std::string(kPublicUrl).size());
  request.headers[1].value = twilio::Sign(Secret("token-of-the-account"), url, {});
  EXPECT_EQ(Handle(request).status, 204);
  request.body += ' ';
  EXPECT_EQ(Handle(request).status, 403);
  EXPECT_THAT(Published(), SizeIs(1));
}

TEST_F(WebhooksTest, TakesTheSecondaryTokenWhileTheyRotateAndSaysSo) {  // W3
  const auto request = Signed("/twilio/sms/status", StatusForm(), Secret("token-to-come"));
  EXPECT_EQ(Handle(request).status, 204);
  ASSERT_THAT(Published(), SizeIs(1));
  EXPECT_EQ(Published()[0].signed_by(), "secondary");
}

TEST_F(WebhooksTest, RefusesARequestThatNamesAnotherWayOfSigning) {  // W1
  http::Request request = Signed("/twilio/sms/status", StatusForm());
  request.headers.emplace_back("X-Twilio-Webhooks-Signature-Settings",
                               "key=1,algorithm=HMAC_SHA256");
  EXPECT_EQ(Handle(std::move(request)).status, 403);
  EXPECT_THAT(Published(), IsEmpty());
}

TEST_F(WebhooksTest, FindsTheTryAndItsWorkByTheTokenInThePath) {  // W5
  EXPECT_EQ(Handle(Signed("/twilio/sms/status/" + Token(), StatusForm())).status, 204);
  ASSERT_THAT(Published(), SizeIs(1));
  const v1::WebhookRecord record = Published()[0];
  EXPECT_EQ(TryText(record.try_()), TryText(name));
  EXPECT_EQ(record.work().topic(), topics.Lane(v1::CHANNEL_SMS, v1::ALERT_CLASS_HIGH));
  EXPECT_EQ(record.work().partition(), 7);
  EXPECT_EQ(record.work().offset(), 42);
  EXPECT_EQ(log.Records()[0].key, name.alert_id());
}

TEST_F(WebhooksTest, PublishesASignedRequestWithAForeignTokenWithoutATry) {  // W5
  std::string foreign = Token();
  foreign[10] = foreign[10] == 'A' ? 'B' : 'A';
  for (const std::string& token : {foreign, std::string("nonsense"), std::string()})
    EXPECT_EQ(Handle(Signed("/twilio/sms/status/" + token, StatusForm())).status, 204);
  ASSERT_THAT(Published(), SizeIs(3));
  for (const v1::WebhookRecord& record : Published()) EXPECT_FALSE(record.has_try_());
  for (const OutgoingRecord& record : log.Records()) EXPECT_EQ(record.key, kSid);
}

TEST_F(WebhooksTest, GivesARepetitionTheSameId) {  // W5
  const std::string target = "/twilio/sms/status/" + Token();
  Handle(Signed(target, StatusForm("sent")));
  clock.Advance(std::chrono::seconds(3));
  Handle(Signed(target, StatusForm("sent")));
  Handle(Signed(target, StatusForm("delivered")));
  ASSERT_THAT(Published(), SizeIs(3));
  EXPECT_EQ(Published()[0].webhook_id(), Published()[1].webhook_id());
  EXPECT_NE(Published()[0].webhook_id(), Published()[2].webhook_id());
}

TEST_F(WebhooksTest, PublishesAnOptOutBeforeItAnswers) {  // S4
  HeldLog held(log);
  Webhooks waiting = By(held);
  std::optional<http::Response> answer;
  waiting.Handle(Signed("/twilio/sms/inbound", InboundForm(" Stop. ")),
                 http::Responder([&](http::Response given) { answer = std::move(given); }));
  ASSERT_EQ(held.Held(), 2u);
  held.ReleaseOne();
  EXPECT_FALSE(answer);
  held.ReleaseOne();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->content_type, "text/xml");
  EXPECT_EQ(answer->body, "<Response/>");
  ASSERT_THAT(Consents(), SizeIs(1));
  const v1::ConsentRecord consent = Consents()[0];
  EXPECT_EQ(consent.state(), v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(consent.sender(), kOurs);
  EXPECT_EQ(consent.source(), "inbound");
  EXPECT_EQ(consent.recipient().token(), vault.Refer(*Phone::Parse(kPerson)).token());
}

TEST_F(WebhooksTest, DoesNotSayItTookAnOptOutThatIsNotOnDisk) {  // S4
  HeldLog held(log);
  Webhooks waiting = By(held);
  int status = 0;
  waiting.Handle(Signed("/twilio/sms/inbound", InboundForm("STOP")),
                 http::Responder([&](const http::Response& given) { status = given.status; }));
  log.EndWith(PublishOutcome::kNotPersisted);
  held.ReleaseOne();
  log.EndWith(PublishOutcome::kPersisted);
  held.ReleaseOne();
  EXPECT_EQ(status, 503);
}

TEST_F(WebhooksTest, ReadsAnOptInAndLeavesOtherWordsAlone) {  // S4
  Handle(Signed("/twilio/sms/inbound", InboundForm("please stop by")));
  EXPECT_THAT(Consents(), IsEmpty());
  Handle(Signed("/twilio/sms/inbound", InboundForm("START")));
  ASSERT_THAT(Consents(), SizeIs(1));
  EXPECT_EQ(Consents()[0].state(), v1::CONSENT_STATE_OPTED_IN);
}

TEST_F(WebhooksTest, LiftsAnOptOutOfTheNumberAlsoWhenItSitsInAMessagingService) {  // S4
  ConsentBook book;
  const std::string token = vault.Refer(*Phone::Parse(kPerson)).token();
  const auto say = [&](const char* word, bool in_service) {
    clock.Advance(std::chrono::seconds(1));
    FormFields fields = InboundForm(word);
    if (in_service) fields.emplace_back("MessagingServiceSid", kService);
    EXPECT_EQ(Handle(Signed("/twilio/sms/inbound", fields)).status, 200);
    for (const v1::ConsentRecord& consent : Consents()) book.Apply(consent);
  };
  say("STOP", false);
  EXPECT_TRUE(book.OptedOut(token, kOurs));
  say("START", true);
  EXPECT_FALSE(book.OptedOut(token, kOurs));
  say("STOP", true);
  EXPECT_TRUE(book.OptedOut(token, kOurs));
  EXPECT_TRUE(book.OptedOut(token, kService));
}

TEST_F(WebhooksTest, TakesAStopWhoseOtherFieldsAreOutOfTheirBounds) {  // S4
  FormFields fields = InboundForm("STOP");
  fields.emplace_back("NumSegments", "many");
  const http::Response answer = Handle(Signed("/twilio/sms/inbound", fields));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "<Response/>");
  ASSERT_THAT(Consents(), SizeIs(1));
  EXPECT_EQ(Consents()[0].state(), v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(Consents()[0].source(), "inbound");
  ASSERT_THAT(Published(), SizeIs(1));
  EXPECT_EQ(Published()[0].kind(), v1::WEBHOOK_KIND_SMS_INBOUND);
  EXPECT_FALSE(FactOf(Published()[0])) << "nothing that an alert's timeline could take in";
}

TEST_F(WebhooksTest, OptsNobodyOutOfEveryoneForWantOfANumber) {  // S4
  FormFields fields = StatusForm("failed");
  std::erase_if(fields, [](const auto& field) { return field.first == "From"; });
  fields.emplace_back("ErrorCode", "21610");
  fields.emplace_back("MessagingServiceSid", kService);
  Handle(Signed("/twilio/sms/status", fields));
  ASSERT_THAT(Consents(), SizeIs(1));
  EXPECT_EQ(Consents()[0].sender(), kService);
}

TEST_F(WebhooksTest, ReadsAnOptOutFromACallbacksErrorCode) {  // S4
  FormFields fields = StatusForm("failed");
  fields.emplace_back("ErrorCode", "21610");
  Handle(Signed("/twilio/sms/status", fields));
  ASSERT_THAT(Consents(), SizeIs(1));
  EXPECT_EQ(Consents()[0].state(), v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(Consents()[0].sender(), kOurs);
  EXPECT_EQ(Consents()[0].source(), "callback");
}

TEST_F(WebhooksTest, TellsTheKindOnTheAliasByTheFields) {  // A7
  const auto kind = [this](const FormFields& fields) {
    EXPECT_NE(Handle(Signed("/relay/twilio/webhook", fields)).status, 403);
    return Published().empty() ? v1::WEBHOOK_KIND_UNSPECIFIED : Published().back().kind();
  };
  EXPECT_EQ(kind({{"AccountSid", kTestAccount}}), v1::WEBHOOK_KIND_UNSPECIFIED);
  EXPECT_EQ(kind(StatusForm()), v1::WEBHOOK_KIND_SMS_STATUS);
  EXPECT_EQ(kind(InboundForm("hello")), v1::WEBHOOK_KIND_SMS_INBOUND);
  EXPECT_EQ(kind({{"AccountSid", kTestAccount},
                  {"CallSid", "CA0123456789abcdef0123456789abcdef"},
                  {"CallStatus", "completed"},
                  {"To", kPerson}}),
            v1::WEBHOOK_KIND_VOICE_STATUS);
}

}  // namespace
}  // namespace tocsin::ingress
