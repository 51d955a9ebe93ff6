#include "services/ingress/ack_pages/ack_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "services/ingress/ack_links/ack_token.h"
#include "tests/services/ingress/actions/alert_actions_fixture.h"

namespace tocsin::ingress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class AckHandlerTest : public AlertActionsTest {
 protected:
  std::string TokenOf(const std::string& id, WallTime expires) {
    return *MakeAckToken(vault, {.alert_id = id, .step = 1, .expire_time = expires});
  }
  http::Response Handle(const std::string& method, const std::string& target) {
    http::Response response{.status = 0};
    handler.Handle({.method = method, .target = target},
                   http::Responder([&](http::Response sent) { response = std::move(sent); }));
    return response;
  }
  http::Response Get() { return Handle("GET", "/ack/" + token); }
  http::Response Post() { return Handle("POST", "/ack/" + token); }
  void CancelByApi() { ASSERT_TRUE(Cancel("demo", alert_id)); }
  bool AcknowledgeByApi() {
    const auto response = Acknowledge("ann");
    return response && response->newly_acknowledged();
  }
  std::vector<records::v1::Event> AcknowledgedEvents() const {
    std::vector<records::v1::Event> events = Events();
    std::erase_if(events, [](const auto& event) { return !event.has_acknowledged(); });
    return events;
  }

  const WallTime expire_time = clock.Now() + std::chrono::hours(1);
  const std::string token = TokenOf(alert_id, expire_time);
  std::vector<AckLinkResult> results;
  std::vector<FinishedAcknowledgement> finished;
  AckHandler handler{{clock, vault, actions},
                     {.result = [this](AckLinkResult result) { results.push_back(result); },
                      .finished = [this](const auto& one) { finished.push_back(one); }}};
};

std::string HeaderOf(const http::Response& response, const std::string& name) {
  for (const http::Header& header : response.headers)
    if (header.name == name) return header.value;
  return "";
}

TEST_F(AckHandlerTest, ShowsAPageWithAButtonAndChangesNothing) {
  for (int i = 0; i < 1'000; ++i) {
    const http::Response response = Get();
    ASSERT_EQ(response.status, 200);
    ASSERT_THAT(response.body, HasSubstr("<form method=\"post\"><button>"));
  }
  EXPECT_THAT(log.Records(), IsEmpty());
  EXPECT_THAT(finished, IsEmpty());
  EXPECT_TRUE(AcknowledgeByApi()) << "nobody acknowledged it before";
}

TEST_F(AckHandlerTest, ShowsThePageWithoutStoreAndLog) {
  admissions.SetDown(true);
  log.SetOutcome(PublishOutcome::kNotPersisted);
  EXPECT_EQ(Get().status, 200);
}

TEST_F(AckHandlerTest, AcknowledgesByPost) {
  const http::Response response = Post();
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr("<h1>Acknowledged</h1>"));
  ASSERT_THAT(AcknowledgedEvents(), SizeIs(1));
  const records::v1::Event event = AcknowledgedEvents()[0];
  EXPECT_EQ(event.attempt().alert_id(), alert_id);
  EXPECT_EQ(event.client_id(), "demo");
  EXPECT_EQ(event.time_us(), ToUnixMicros(clock.Now()));
  EXPECT_EQ(event.acknowledged().method(), v1::ACKNOWLEDGEMENT_METHOD_LINK);
  EXPECT_EQ(event.acknowledged().actor_id(), "");
  EXPECT_EQ(event.acknowledged().step(), 1);
  EXPECT_EQ(event.acknowledged().evidence(), Sha256(token));
  EXPECT_FALSE(AcknowledgeByApi());
  ASSERT_THAT(finished, SizeIs(1));
  EXPECT_EQ(finished[0].alert_id, alert_id);
  EXPECT_EQ(finished[0].result, AckLinkResult::kAcknowledged);
}

TEST_F(AckHandlerTest, RecordsTheFirstAcknowledgementOnly) {
  admissions.SetClaimed(alert_id);
  Post();
  clock.Advance(std::chrono::seconds(5));
  const http::Response again = Post();
  EXPECT_EQ(again.status, 200);
  EXPECT_THAT(again.body, HasSubstr("<h1>Already acknowledged</h1>"));
  EXPECT_FALSE(AcknowledgeByApi());
  ASSERT_THAT(AcknowledgedEvents(), SizeIs(3));
  for (const records::v1::Event& event : AcknowledgedEvents())
    EXPECT_EQ(event.SerializeAsString(), AcknowledgedEvents()[0].SerializeAsString());
}

TEST_F(AckHandlerTest, KeepsAnAcknowledgementByTheApi) {
  ASSERT_TRUE(AcknowledgeByApi());
  EXPECT_THAT(Post().body, HasSubstr("Already acknowledged"));
  for (const records::v1::Event& event : AcknowledgedEvents()) {
    EXPECT_EQ(event.acknowledged().method(), v1::ACKNOWLEDGEMENT_METHOD_API);
    EXPECT_EQ(event.acknowledged().evidence(), "");
  }
}

TEST_F(AckHandlerTest, ExpiresWithItsAlert) {
  clock.Set(expire_time);
  EXPECT_EQ(Get().status, 200);
  clock.Advance(Micros(1));
  EXPECT_EQ(Get().status, 410);
  EXPECT_EQ(Post().status, 410);
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(AckHandlerTest, RefusesATokenThatWasChanged) {
  const std::string other = TokenOf(MakeUuidV5("another alert"), expire_time);
  std::string changed = token;
  changed.replace(0, 30, other.substr(0, 30));  // another alert with the MAC of this one
  for (const std::string& target :
       {"/ack/" + changed, std::string("/ack/"), "/ack/" + token + "/", "/ack/" + token.substr(1),
        "/ack/" + token + "A", "/ack/%41" + token.substr(1)})
    for (const char* method : {"GET", "POST"})
      EXPECT_EQ(Handle(method, target).status, 404) << method << ' ' << target;
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(AckHandlerTest, IgnoresAQueryThatAMessengerAdds) {
  EXPECT_EQ(Handle("GET", "/ack/" + token + "?fbclid=1").status, 200);
  EXPECT_EQ(Handle("POST", "/ack/" + token + "?fbclid=1").status, 200);
  EXPECT_THAT(AcknowledgedEvents(), SizeIs(1));
}

TEST_F(AckHandlerTest, DoesNotAcknowledgeACancelledAlert) {
  CancelByApi();
  const http::Response response = Post();
  EXPECT_EQ(response.status, 409);
  EXPECT_THAT(response.body, HasSubstr("was cancelled"));
  EXPECT_THAT(AcknowledgedEvents(), IsEmpty());
}

TEST_F(AckHandlerTest, AcknowledgesAnAlertWhoseCancellationCameTooLate) {
  admissions.SetClaimed(alert_id);
  CancelByApi();
  EXPECT_THAT(Post().body, HasSubstr("<h1>Acknowledged</h1>"));
  EXPECT_THAT(Post().body, HasSubstr("<h1>Already acknowledged</h1>"));
  ASSERT_THAT(AcknowledgedEvents(), SizeIs(2));
  EXPECT_EQ(AcknowledgedEvents()[0].client_id(), "demo");
}

TEST_F(AckHandlerTest, AsksForARetryWhileTheStoreOrTheLogDoesNotRespond) {
  admissions.SetDown(true);
  const http::Response without_store = Post();
  admissions.SetDown(false);
  log.SetOutcome(PublishOutcome::kNotPersisted);
  const http::Response without_log = Post();
  for (const http::Response& response : {without_store, without_log}) {
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(HeaderOf(response, "Retry-After"), "10");
    EXPECT_THAT(response.body, HasSubstr("Try again in a minute"));
    EXPECT_THAT(response.body, HasSubstr("call"));
  }
  log.SetOutcome(PublishOutcome::kPersisted);
  EXPECT_EQ(Post().status, 200);
  EXPECT_THAT(AcknowledgedEvents(), SizeIs(1));
}

TEST_F(AckHandlerTest, AsksForARetryIfTheStoreDoesNotKnowTheAlertYet) {
  EXPECT_EQ(Handle("POST", "/ack/" + TokenOf(MakeUuidV5("not claimed"), expire_time)).status, 503);
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(AckHandlerTest, RefusesOtherMethods) {
  for (const char* method : {"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "BREW"}) {
    const http::Response response = Handle(method, "/ack/" + token);
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(HeaderOf(response, "Allow"), "GET, HEAD, POST");
  }
  EXPECT_THAT(log.Records(), IsEmpty());
}

TEST_F(AckHandlerTest, CountsEachRequestByItsResult) {
  Get();
  Post();
  Post();
  Handle("GET", "/ack/x");
  Handle("PUT", "/ack/x");
  EXPECT_THAT(results, ElementsAre(AckLinkResult::kShown, AckLinkResult::kAcknowledged,
                                   AckLinkResult::kAlreadyAcknowledged,
                                   AckLinkResult::kInvalidToken, AckLinkResult::kWrongMethod));
}

TEST(AckHandler, ServesItsPathsOnly) {
  EXPECT_TRUE(AckHandler::Serves("/ack/x"));
  for (const char* path : {"/ack", "/", "/acknowledge", "/twilio/ack/x", "/twilio/sms/status"})
    EXPECT_FALSE(AckHandler::Serves(path)) << path;
}

class AckPageTest : public testing::TestWithParam<int> {};

TEST_P(AckPageTest, IsNotStoredFramedOrIndexedAndLoadsNothing) {
  const http::Response response = AckPage(static_cast<AckLinkResult>(GetParam()));
  EXPECT_EQ(response.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(HeaderOf(response, "Cache-Control"), "no-store");
  EXPECT_EQ(HeaderOf(response, "Referrer-Policy"), "no-referrer");
  EXPECT_EQ(HeaderOf(response, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(HeaderOf(response, "X-Robots-Tag"), "noindex");
  for (const char* from_elsewhere : {"src=", "href=", "http", "<script", "url(", "@import"})
    EXPECT_THAT(response.body, Not(HasSubstr(from_elsewhere)));
  const std::string policy = HeaderOf(response, "Content-Security-Policy");
  for (const char* rule : {"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"})
    EXPECT_THAT(policy, HasSubstr(rule));
  const size_t begin = response.body.find("<style>") + 7, end = response.body.find("</style>");
  EXPECT_THAT(policy,
              HasSubstr("style-src 'sha256-" +
                        Base64Encode(Sha256(response.body.substr(begin, end - begin))) + "'"));
}

TEST_P(AckPageTest, HasAButtonOnlyIfPressingItCanHelp) {
  const auto result = static_cast<AckLinkResult>(GetParam());
  const bool button = result == AckLinkResult::kShown || result == AckLinkResult::kUnavailable;
  EXPECT_EQ(AckPage(result).body.find("<button>") != std::string::npos, button);
}

INSTANTIATE_TEST_SUITE_P(Each, AckPageTest, testing::Range(0, kAckLinkResults),
                         [](const auto& row) {
                           return std::string(NameOf(static_cast<AckLinkResult>(row.param)));
                         });

}  // namespace
}  // namespace tocsin::ingress
