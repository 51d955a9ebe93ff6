#include "services/ingress/webhooks/webhooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/domain/alert/alert_projection.h"
#include "common/domain/alert/ids.h"
#include "common/domain/registry/consents.h"
#include "common/twilio/webhooks/attempt_token.h"
#include "common/twilio/webhooks/signature.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_history.h"
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

// No request here is made during a call.
class NoWorks final : public WorkLookup {
 public:
  void Find(const v1::AttemptRef&, const records::v1::Position&,
            std::function<void(Result<records::v1::WorkRecord>)> done) override {
    done(Fail(ErrorCode::kNotFound, "work record not found"));
  }
};

class WebhooksTest : public testing::Test {
 protected:
  static RegistrySnapshot::Content Rotating() {
    RegistrySnapshot::Content content = TestRegistry();
    content.voice = ChannelMode::kLive;
    content.accounts[0].secondary_auth_token = Secret("secondary-token");
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

  Webhooks With(RecordLog& used) {
    return Webhooks({clock, registry, vault, used, topics, works, alert_actions}, kPublicUrl,
                    {.result = [this](WebhookResult result, records::v1::WebhookKind,
                                      records::v1::SigningToken) { results.push_back(result); }});
  }
  http::Response Handle(http::Request request) {
    http::Response response{.status = 0};
    webhooks.Handle(std::move(request),
                    http::Responder([&](http::Response sent) { response = std::move(sent); }));
    return response;
  }

  // A reply of the person.
  http::Response Reply(const std::string& body) {
    return Handle(Signed("/twilio/sms/inbound", InboundForm(body)));
  }
  std::string AdmitAnAlert() {
    AdmitRequest request;
    request.alert_id = "01990000-aaaa-7bbb-8ccc-000000000001";
    request.client_id = "demo";
    request.idempotency_digest = "a key";
    admissions.Admit(request, [](const auto&) {});
    return request.alert_id;
  }
  // The alert was sent to the person with this code.
  void SetAckCode(const std::string& alert_id, const std::string& code) {
    admissions.SetAckCode(vault.MakeRecipientRef(*Phone::Parse(kPerson)).token(), alert_id, code);
  }

  std::vector<records::v1::WebhookRecord> Published() const {
    return log.On<records::v1::WebhookRecord>(topics.Webhooks());
  }
  std::vector<records::v1::ConsentRecord> Consents() const {
    return log.On<records::v1::ConsentRecord>(topics.Consents());
  }

  std::string Token() {
    return *twilio::MakeAttemptToken(vault, {.attempt = attempt,
                                             .channel = v1::CHANNEL_SMS,
                                             .priority = v1::PRIORITY_HIGH,
                                             .partition = 7,
                                             .offset = 42,
                                             .time = clock.Now()});
  }
  v1::AttemptRef AnAttempt() const {
    v1::AttemptRef made;
    made.set_alert_id(NewAlertId(clock.Now(), "0123456789"));
    made.set_step(1);
    made.set_attempt(2);
    return made;
  }

  ManualClock clock;
  RegistrySource registry{Built(Rotating())};
  FakeVault vault;
  FakeRecordLog log;
  Topics topics;
  NoWorks works;
  FakeAdmissions admissions;
  FakeRecordHistory history;
  LogStartCheck start_check{history};
  AlertActions alert_actions{{clock, registry, admissions, vault, log, topics, start_check}};
  const v1::AttemptRef attempt = AnAttempt();
  std::vector<WebhookResult> results;
  Webhooks webhooks = With(log);
};

TEST_F(WebhooksTest, ContinuesTheTraceOfTheCallbackUrlInEveryRecord) {  // O3
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-", query = "?traceparent=" + trace;
  FormFields stopped = StatusForm("failed");
  stopped.emplace_back("ErrorCode", "21610");
  EXPECT_EQ(Handle(Signed("/twilio/sms/status" + query + "00f067aa0ba902b7-01", stopped)).status,
            204);
  EXPECT_EQ(Handle(Signed("/twilio/sms/status?traceparent=x", StatusForm())).status, 204);
  std::vector<std::string> traces;
  for (const OutgoingRecord& record : log.Records())
    for (const auto& [header, value] : record.headers)
      if (header == kHeaderTraceparent) traces.push_back(value);
  ASSERT_THAT(traces, SizeIs(3));  // the consent and both webhooks
  EXPECT_THAT(traces[0], StartsWith(trace));
  EXPECT_EQ(traces[1], traces[0]) << "all records of one request have one span";
  EXPECT_THAT(traces[2], Not(StartsWith(trace)));
}

TEST_F(WebhooksTest, ReportsTheTimeToTheDeliveryReport) {  // O1
  std::vector<Micros> took;
  WebhookObserver observer;
  observer.delivered = [&](Micros after) { took.push_back(after); };
  Webhooks watched({clock, registry, vault, log, topics, works, alert_actions}, kPublicUrl,
                   observer);
  const std::string target = "/twilio/sms/status/" + Token();
  clock.Advance(std::chrono::seconds(4));
  for (const char* status : {"sent", "delivered"})
    watched.Handle(Signed(target, StatusForm(status)), http::Responder([](http::Response) {}));
  EXPECT_THAT(took, ElementsAre(Micros(std::chrono::seconds(4))));
}

TEST_F(WebhooksTest, RespondsToASignedCallbackAfterItIsOnDisk) {  // W1, W4
  HeldLog held(log);
  Webhooks waiting = With(held);
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
  EXPECT_EQ(Published()[0].signed_by(), records::v1::SIGNING_TOKEN_PRIMARY);
  EXPECT_THAT(results, ElementsAre(WebhookResult::kPublished));
}

TEST_F(WebhooksTest, RespondsWithRetryAfterWhileTheLogDoesNotRespond) {  // W4
  for (const auto outcome : {PublishOutcome::kNotPersisted, PublishOutcome::kUnknown}) {
    log.SetOutcome(outcome);
    const http::Response response = Handle(Signed("/twilio/sms/status", StatusForm()));
    EXPECT_EQ(response.status, 503);
    ASSERT_THAT(response.headers, SizeIs(1));
    EXPECT_EQ(response.headers[0].name, "Retry-After");
  }
  EXPECT_THAT(results, ElementsAre(WebhookResult::kUnavailable, WebhookResult::kUnavailable));
}

TEST_F(WebhooksTest, RespondsWithRetryAfterAndPublishesNothingWithoutKeys) {  // P1
  vault.keys_unavailable = true;
  EXPECT_EQ(Handle(Signed("/twilio/sms/status", StatusForm())).status, 503);
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(WebhooksTest, PublishesNothingReadable) {  // P1, W6
  Handle(Signed("/twilio/sms/inbound", InboundForm("my boiler exploded")));
  ASSERT_THAT(Published(), SizeIs(1));
  for (const OutgoingRecord& record : log.Records())
    for (const char* planted : {"5145550123", "exploded"}) {
      EXPECT_THAT(record.value, Not(HasSubstr(planted)));
      EXPECT_THAT(record.key, Not(HasSubstr(planted)));
    }
  const records::v1::WebhookRecord record = Published()[0];
  EXPECT_EQ(record.recipient().last_four(), "0123");
  const auto form =
      vault.Open({kTestAccount, record.webhook_id(), "raw_body"}, record.key(), record.raw_body());
  ASSERT_TRUE(form);
  EXPECT_EQ(form->Reveal(), FormEncode(InboundForm("my boiler exploded")));
}

struct Refusal {
  const char* name;
  int status;
  WebhookResult result;
  void (*change)(http::Request&);
};

class RefusedWebhook : public WebhooksTest, public testing::WithParamInterface<Refusal> {};

TEST_P(RefusedWebhook, GetsItsStatusAndPublishesNothing) {  // W1, P8
  http::Request request = Signed("/twilio/sms/status", StatusForm());
  GetParam().change(request);
  const http::Response response = Handle(std::move(request));
  EXPECT_EQ(response.status, GetParam().status);
  EXPECT_THAT(response.body, IsEmpty());
  EXPECT_THAT(log.Records(), IsEmpty());
  EXPECT_THAT(results, ElementsAre(GetParam().result));
}

const Refusal kRefusals[] = {
    {"UnknownPath", 404, WebhookResult::kUnknownPath,
     [](auto& r) { r.target = "/twilio/sms/statusquo"; }},
    {"RootPath", 404, WebhookResult::kUnknownPath, [](auto& r) { r.target = "/"; }},
    {"TokenOnAPathWithoutOne", 404, WebhookResult::kUnknownPath,
     [](auto& r) { r.target = "/twilio/sms/inbound/abc"; }},
    {"WrongMethod", 405, WebhookResult::kWrongMethod, [](auto& r) { r.method = "GET"; }},
    {"Unsigned", 403, WebhookResult::kUnsigned, [](auto& r) { r.headers.pop_back(); }},
    {"SignedTwice", 403, WebhookResult::kUnsigned,
     [](auto& r) { r.headers.push_back(http::Header(r.headers[1])); }},
    {"EmptySignature", 403, WebhookResult::kInvalidSignature,
     [](auto& r) { r.headers[1].value.clear(); }},
    {"ChangedBody", 403, WebhookResult::kInvalidSignature, [](auto& r) { r.body += "&More=1"; }},
    {"ChangedTarget", 403, WebhookResult::kInvalidSignature,
     [](auto& r) { r.target += "?more=1"; }},
    {"UnknownAuthToken", 403, WebhookResult::kInvalidSignature,
     [](auto& r) {
       r.headers[1].value = twilio::Sign(Secret("a-guess"), kPublicUrl + r.target, StatusForm());
     }},
    {"EmptyAuthToken", 403, WebhookResult::kInvalidSignature,
     [](auto& r) {
       r.headers[1].value = twilio::Sign(Secret(), kPublicUrl + r.target, StatusForm());
     }},
    {"UnknownAccountSid", 403, WebhookResult::kInvalidSignature,
     [](auto& r) { r.body.replace(r.body.find("0001"), 4, "0002"); }},
    {"JsonWithoutABodyHash", 403, WebhookResult::kInvalidSignature,
     [](auto& r) { r.headers[0].value = "application/json"; }},
    {"WrongType", 415, WebhookResult::kWrongType,
     [](auto& r) { r.headers[0].value = "text/plain"; }},
    {"NoType", 415, WebhookResult::kWrongType, [](auto& r) { r.headers.erase(r.headers.begin()); }},
    {"BrokenEscape", 400, WebhookResult::kUnparsable, [](auto& r) { r.body = "AccountSid=%zz"; }},
    {"TooManyFields", 400, WebhookResult::kUnparsable,
     [](auto& r) {
       for (int i = 0; i < 200; ++i) r.body += "&f=1";
     }},
};
INSTANTIATE_TEST_SUITE_P(Each, RefusedWebhook, testing::ValuesIn(kRefusals),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(WebhooksTest, PublishesAnythingThatATokenOfTheRegistrySigned) {  // W1, W4
  FormFields unknown = StatusForm();
  unknown[0].second = "AC00000000000000000000000000000002";
  FormFields nameless = StatusForm();
  nameless.erase(nameless.begin());
  for (const FormFields& fields : {unknown, nameless, FormFields{{"Digits", ""}}, FormFields{}})
    EXPECT_EQ(Handle(Signed("/twilio/sms/status", fields)).status, 204);
  ASSERT_THAT(Published(), SizeIs(4));
  EXPECT_EQ(Published()[0].account_sid(),
            kTestAccount);  // of the token that signed it, not of the field
  EXPECT_EQ(Published()[2].kind(), records::v1::WEBHOOK_KIND_UNSPECIFIED);
  EXPECT_NE(Published()[2].webhook_id(), Published()[3].webhook_id());
}

TEST_F(WebhooksTest, AcceptsAJsonBodyWhoseHashIsInTheSignedUrl) {  // W1
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

TEST_F(WebhooksTest, AcceptsTheSecondaryTokenAndRecordsIt) {  // W3
  const auto request = Signed("/twilio/sms/status", StatusForm(), Secret("secondary-token"));
  EXPECT_EQ(Handle(request).status, 204);
  ASSERT_THAT(Published(), SizeIs(1));
  EXPECT_EQ(Published()[0].signed_by(), records::v1::SIGNING_TOKEN_SECONDARY);
}

TEST_F(WebhooksTest, RefusesASignatureOfAnotherAlgorithm) {  // W1
  http::Request request = Signed("/twilio/sms/status", StatusForm());
  request.headers.emplace_back("X-Twilio-Webhooks-Signature-Settings",
                               "key=1,algorithm=HMAC_SHA256");
  EXPECT_EQ(Handle(std::move(request)).status, 403);
  EXPECT_THAT(Published(), IsEmpty());
}

TEST_F(WebhooksTest, FindsTheAttemptAndItsWorkByTheTokenInThePath) {  // W5
  EXPECT_EQ(Handle(Signed("/twilio/sms/status/" + Token(), StatusForm())).status, 204);
  ASSERT_THAT(Published(), SizeIs(1));
  const records::v1::WebhookRecord record = Published()[0];
  EXPECT_EQ(AttemptText(record.attempt()), AttemptText(attempt));
  EXPECT_EQ(record.work().topic(), topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_HIGH));
  EXPECT_EQ(record.work().partition(), 7);
  EXPECT_EQ(record.work().offset(), 42);
  EXPECT_EQ(log.Records()[0].key, attempt.alert_id());
}

TEST_F(WebhooksTest, PublishesASignedRequestWithAnInvalidTokenWithoutAnAttempt) {  // W5
  std::string foreign = Token();
  foreign[10] = foreign[10] == 'A' ? 'B' : 'A';
  for (const std::string& token : {foreign, std::string("nonsense"), std::string()})
    EXPECT_EQ(Handle(Signed("/twilio/sms/status/" + token, StatusForm())).status, 204);
  ASSERT_THAT(Published(), SizeIs(3));
  for (const records::v1::WebhookRecord& record : Published()) EXPECT_FALSE(record.has_attempt());
  for (const OutgoingRecord& record : log.Records()) EXPECT_EQ(record.key, kSid);
}

TEST_F(WebhooksTest, ARepetitionHasTheSameId) {  // W5
  const std::string target = "/twilio/sms/status/" + Token();
  Handle(Signed(target, StatusForm("sent")));
  clock.Advance(std::chrono::seconds(3));
  Handle(Signed(target, StatusForm("sent")));
  Handle(Signed(target, StatusForm("delivered")));
  ASSERT_THAT(Published(), SizeIs(3));
  EXPECT_EQ(Published()[0].webhook_id(), Published()[1].webhook_id());
  EXPECT_NE(Published()[0].webhook_id(), Published()[2].webhook_id());
}

TEST_F(WebhooksTest, PublishesAnOptOutBeforeItResponds) {  // S4
  HeldLog held(log);
  Webhooks waiting = With(held);
  std::optional<http::Response> response;
  waiting.Handle(Signed("/twilio/sms/inbound", InboundForm(" Stop. ")),
                 http::Responder([&](http::Response sent) { response = std::move(sent); }));
  ASSERT_EQ(held.Held(), 2u);
  held.ReleaseOne();
  EXPECT_FALSE(response);
  held.ReleaseOne();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->content_type, "text/xml");
  EXPECT_EQ(response->body, "<Response/>");
  ASSERT_THAT(Consents(), SizeIs(1));
  const records::v1::ConsentRecord consent = Consents()[0];
  EXPECT_EQ(consent.state(), records::v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(consent.sender_address(), kOurs);
  EXPECT_EQ(consent.source(), records::v1::CONSENT_SOURCE_INBOUND_MESSAGE);
  EXPECT_EQ(consent.recipient().token(), vault.MakeRecipientRef(*Phone::Parse(kPerson)).token());
}

TEST_F(WebhooksTest, DoesNotConfirmAnOptOutThatIsNotOnDisk) {  // S4
  HeldLog held(log);
  Webhooks waiting = With(held);
  int status = 0;
  waiting.Handle(
      Signed("/twilio/sms/inbound", InboundForm("STOP")),
      http::Responder([&](const http::Response& response) { status = response.status; }));
  log.SetOutcome(PublishOutcome::kNotPersisted);
  held.ReleaseOne();
  log.SetOutcome(PublishOutcome::kPersisted);
  held.ReleaseOne();
  EXPECT_EQ(status, 503);
}

TEST_F(WebhooksTest, PublishesAnOptInAndIgnoresOtherTexts) {  // S4
  Handle(Signed("/twilio/sms/inbound", InboundForm("please stop by")));
  EXPECT_THAT(Consents(), IsEmpty());
  Handle(Signed("/twilio/sms/inbound", InboundForm("START")));
  ASSERT_THAT(Consents(), SizeIs(1));
  EXPECT_EQ(Consents()[0].state(), records::v1::CONSENT_STATE_OPTED_IN);
}

TEST_F(WebhooksTest, AnOptInViaAMessagingServiceLiftsTheOptOutOfItsNumber) {  // S4
  ConsentBook book;
  const std::string token = vault.MakeRecipientRef(*Phone::Parse(kPerson)).token();
  const auto send = [&](const char* word, bool in_service) {
    clock.Advance(std::chrono::seconds(1));
    FormFields fields = InboundForm(word);
    if (in_service) fields.emplace_back("MessagingServiceSid", kService);
    EXPECT_EQ(Handle(Signed("/twilio/sms/inbound", fields)).status, 200);
    for (const records::v1::ConsentRecord& consent : Consents()) book.Apply(consent);
  };
  send("STOP", false);
  EXPECT_TRUE(book.OptedOut(token, kOurs));
  send("START", true);
  EXPECT_FALSE(book.OptedOut(token, kOurs));
  send("STOP", true);
  EXPECT_TRUE(book.OptedOut(token, kOurs));
  EXPECT_TRUE(book.OptedOut(token, kService));
}

TEST_F(WebhooksTest, AcceptsAnOptOutWhoseOtherFieldsAreInvalid) {  // S4
  FormFields fields = InboundForm("STOP");
  fields.emplace_back("NumSegments", "many");
  const http::Response response = Handle(Signed("/twilio/sms/inbound", fields));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "<Response/>");
  ASSERT_THAT(Consents(), SizeIs(1));
  EXPECT_EQ(Consents()[0].state(), records::v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(Consents()[0].source(), records::v1::CONSENT_SOURCE_INBOUND_MESSAGE);
  ASSERT_THAT(Published(), SizeIs(1));
  EXPECT_EQ(Published()[0].kind(), records::v1::WEBHOOK_KIND_SMS_INBOUND);
  EXPECT_FALSE(AlertEventOf(Published()[0])) << "it is no event of an alert";
}

TEST_F(WebhooksTest, AnOptOutWithoutANumberAppliesToItsMessagingServiceOnly) {  // S4
  FormFields fields = StatusForm("failed");
  std::erase_if(fields, [](const auto& field) { return field.first == "From"; });
  fields.emplace_back("ErrorCode", "21610");
  fields.emplace_back("MessagingServiceSid", kService);
  Handle(Signed("/twilio/sms/status", fields));
  ASSERT_THAT(Consents(), SizeIs(1));
  EXPECT_EQ(Consents()[0].sender_address(), kService);
}

TEST_F(WebhooksTest, PublishesAnOptOutForTheErrorCodeOfACallback) {  // S4
  FormFields fields = StatusForm("failed");
  fields.emplace_back("ErrorCode", "21610");
  Handle(Signed("/twilio/sms/status", fields));
  ASSERT_THAT(Consents(), SizeIs(1));
  EXPECT_EQ(Consents()[0].state(), records::v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(Consents()[0].sender_address(), kOurs);
  EXPECT_EQ(Consents()[0].source(), records::v1::CONSENT_SOURCE_STATUS_CALLBACK);
}

TEST_F(WebhooksTest, FindsTheKindByTheFieldsOnTheAlias) {  // A7
  const auto kind = [this](const FormFields& fields) {
    EXPECT_NE(Handle(Signed("/relay/twilio/webhook", fields)).status, 403);
    return Published().empty() ? records::v1::WEBHOOK_KIND_UNSPECIFIED : Published().back().kind();
  };
  EXPECT_EQ(kind({{"AccountSid", kTestAccount}}), records::v1::WEBHOOK_KIND_UNSPECIFIED);
  EXPECT_EQ(kind(StatusForm()), records::v1::WEBHOOK_KIND_SMS_STATUS);
  EXPECT_EQ(kind(InboundForm("hello")), records::v1::WEBHOOK_KIND_SMS_INBOUND);
  EXPECT_EQ(kind({{"AccountSid", kTestAccount},
                  {"CallSid", "CA0123456789abcdef0123456789abcdef"},
                  {"CallStatus", "completed"},
                  {"To", kPerson}}),
            records::v1::WEBHOOK_KIND_VOICE_STATUS);
}

TEST_F(WebhooksTest, AReplyAcknowledgesAndIsConfirmed) {  // S7, V6
  const std::string id = AdmitAnAlert();
  EXPECT_EQ(Reply("oui").body, "<Response/>");
  SetAckCode(id, "1234");
  EXPECT_EQ(Reply("please call me").body, "<Response/>");
  EXPECT_THAT(Reply("oui 4321").body, HasSubstr("<Message>Vous n&apos;avez pas"));
  EXPECT_THAT(log.On<records::v1::Event>(topics.Events()), IsEmpty());
  const http::Response response = Reply("oui");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/xml");
  EXPECT_THAT(response.body, HasSubstr("<Message>Merci."));
  const auto events = log.On<records::v1::Event>(topics.Events());
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].acknowledged().evidence(), kSid);
  EXPECT_THAT(Published(), SizeIs(4)) << "every reply is published, too";
}

TEST_F(WebhooksTest, AReplyDeclinesAndIsConfirmed) {  // S7, V6
  const std::string id = AdmitAnAlert();
  EXPECT_EQ(Reply("non").body, "<Response/>");
  SetAckCode(id, "1234");
  EXPECT_THAT(Reply("nein 4321").body, HasSubstr("<Message>Sie haben keine Meldung"));
  EXPECT_THAT(Reply("nein").body, HasSubstr("<Message>Danke. Ihre Antwort ist erfasst."));
  admissions.SetTarget(id, 1, "ann", "");
  EXPECT_THAT(Reply("NO 1234").body, HasSubstr("<Message>Thank you. You declined."));
  const auto events = log.On<records::v1::Event>(topics.Events());
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[1].declined().person(), "ann");
  EXPECT_EQ(events[1].declined().evidence(), kSid);
  EXPECT_THAT(Published(), SizeIs(4)) << "every reply is published, too";
  EXPECT_THAT(log.On<records::v1::ConsentRecord>(topics.Consents()), IsEmpty());
}

TEST_F(WebhooksTest, AReplyThatCannotBeProcessedIsRepeatedByTwilio) {  // W5
  admissions.SetDown(true);
  EXPECT_EQ(Handle(Signed("/twilio/sms/inbound", InboundForm("yes"))).status, 503);
  EXPECT_EQ(Handle(Signed("/twilio/sms/inbound", InboundForm("no"))).status, 503);
  EXPECT_EQ(Handle(Signed("/twilio/sms/inbound", InboundForm("hello"))).status, 200);
  FormFields stop = InboundForm("yes");
  stop.emplace_back("OptOutType", "STOP");
  EXPECT_EQ(Handle(Signed("/twilio/sms/inbound", stop)).status, 200) << "an opt-out is no reply";
}

}  // namespace
}  // namespace tocsin::ingress
