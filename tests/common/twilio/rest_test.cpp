#include "common/twilio/rest.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/common/twilio/script_server.h"

namespace tocsin::twilio {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using End = Step::End;
using Read = Step::Read;

const std::string kSid = "SM0a0b0c0d0e0f00010203040506070809";
const std::string kCreated =
    HttpAnswer(201, R"({"sid":")" + kSid + R"(","num_segments":"1"})",
               "Twilio-Request-Id: RQ1\r\nContent-Type: application/json\r\n");
const FormFields kForm{{"To", "+15145550123"}, {"Body", "a b&c"}};

Account AnAccount() {
  return {.sid = "AC0123456789abcdef0123456789abcdef",
          .auth_token = Secret("token"),
          .secondary_auth_token = {}};
}

class RestClientTest : public testing::Test {
 protected:
  void Begin(std::vector<Step> script, std::chrono::milliseconds limit = kPostLimit,
             const std::string& scheme = "http") {
    server = std::make_unique<ScriptServer>(std::move(script));
    BeginAt(server->Url(scheme), limit);
  }
  void BeginAt(const std::string& url, std::chrono::milliseconds limit = kPostLimit) {
    RestSettings settings;
    settings.base_url = url;
    settings.post_limit = limit;
    settings.observe = [this](const Exchange& exchange) { seen.push_back(exchange); };
    client = std::make_unique<RestClient>(settings);
  }
  v1::Receipt Post(SteadyTime deadline = SteadyTime::max()) {
    return client->Post(AnAccount(), "Messages.json", kForm, deadline);
  }

  std::unique_ptr<ScriptServer> server;
  std::unique_ptr<RestClient> client;  // goes first: the server may wait for its connection
  std::vector<Exchange> seen;
};

void ExpectOutcome(const v1::Receipt& receipt, v1::ReceiptOutcome expected) {
  EXPECT_EQ(v1::ReceiptOutcome_Name(receipt.outcome()), v1::ReceiptOutcome_Name(expected));
}

// S1
TEST_F(RestClientTest, PostsAFormAndReadsTheSid) {
  Begin({{.answer = kCreated}});
  const v1::Receipt receipt = Post();
  ExpectOutcome(receipt, v1::RECEIPT_OUTCOME_ACCEPTED);
  EXPECT_EQ(receipt.provider_sid(), kSid);
  EXPECT_EQ(receipt.segments(), 1U);
  const auto requests = server->Requests();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_THAT(requests[0], StartsWith("POST /2010-04-01/Accounts/" + AnAccount().sid +
                                      "/Messages.json HTTP/1.1\r\n"));
  EXPECT_THAT(requests[0], HasSubstr("Content-Type: application/x-www-form-urlencoded\r\n"));
  EXPECT_THAT(requests[0],
              HasSubstr("Authorization: Basic " + Base64Encode(AnAccount().sid + ":token")));
  EXPECT_THAT(requests[0], Not(HasSubstr("Expect:")));
  EXPECT_THAT(requests[0], EndsWith("\r\n\r\n" + FormEncode(kForm)));
  ASSERT_THAT(seen, SizeIs(1));
  EXPECT_EQ(seen[0].request_id, "RQ1");
  EXPECT_TRUE(seen[0].new_connection);
}

TEST_F(RestClientTest, SaysWhetherTwilioCanBeReachedWithoutARequest) {  // O2
  Begin({{.answer = kCreated}});
  EXPECT_TRUE(client->Reach());
  EXPECT_THAT(server->Requests(), SizeIs(0));
  BeginAt("http://127.0.0.1:1");
  EXPECT_EQ(client->Reach().error().code, ErrorCode::kTwilioApiError);
}

// R8
TEST_F(RestClientTest, UsesItsConnectionAgainAndCountsThem) {
  Begin({{.answer = kCreated}, {.answer = kCreated}, {.answer = kCreated}});
  for (int i = 0; i < 3; ++i) ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_ACCEPTED);
  EXPECT_EQ(client->Counters().requests, 3U);
  EXPECT_EQ(client->Counters().connections, 1U);
  EXPECT_EQ(server->Connections(), 1);
}

// R4: libcurl by itself would send the second POST again, on a new connection.
TEST_F(RestClientTest, NeverRepeatsAPostWhoseKeptConnectionDied) {
  Begin({{.answer = kCreated}, {.end = End::kClose}, {.answer = kCreated}});
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_ACCEPTED);
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_IN_DOUBT);
  EXPECT_THAT(server->Requests(), SizeIs(2));
}

TEST_F(RestClientTest, NeverRepeatsAPostWhoseKeptConnectionWasReset) {
  Begin({{.answer = kCreated}, {.end = End::kReset}, {.answer = kCreated}});
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_ACCEPTED);
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_IN_DOUBT);
  EXPECT_THAT(server->Requests(), SizeIs(2));
}

// libcurl opens another connection first, and its error then is that of a connection refused.
TEST_F(RestClientTest, IsInDoubtWhenTheKeptConnectionDiedAndNoOtherCanBeHad) {
  Begin({{.answer = kCreated}, {.end = End::kGone}});
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_ACCEPTED);
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_IN_DOUBT);
  EXPECT_THAT(server->Requests(), SizeIs(2));
}

TEST_F(RestClientTest, IsGoodAgainAfterADoubt) {
  Begin({{.end = End::kClose}, {.answer = kCreated}});
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_IN_DOUBT);
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_ACCEPTED);
  EXPECT_EQ(client->Counters().connections, 2U);
}

TEST_F(RestClientTest, NeverTakesAClosedDoorForAcceptance) {
  Begin({{.read = Read::kNothing, .end = End::kReset}});
  // Which of the two depends on how far the reset came before the body was written.
  EXPECT_THAT(Post().outcome(), AnyOf(v1::RECEIPT_OUTCOME_NOT_SENT, v1::RECEIPT_OUTCOME_IN_DOUBT));
  EXPECT_THAT(server->Requests(), IsEmpty());
}

struct Row {
  const char* name;
  Step step;
  v1::ReceiptOutcome outcome;
  unsigned http_status;
  std::string reason;
};

class AnsweredPostTest : public RestClientTest, public testing::WithParamInterface<Row> {};

// R4
TEST_P(AnsweredPostTest, IsClassedByWhatIsKnown) {
  const End end = GetParam().step.end;
  const bool waits = end == End::kHold || end == End::kDrip;
  Begin({GetParam().step}, waits ? 1s : std::chrono::milliseconds(kPostLimit));
  const v1::Receipt receipt = Post();
  ExpectOutcome(receipt, GetParam().outcome);
  EXPECT_EQ(receipt.http_status(), GetParam().http_status);
  EXPECT_EQ(receipt.reason(), GetParam().reason);
  EXPECT_THAT(server->Requests(), SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(
    Answers, AnsweredPostTest,
    testing::Values(
        Row{"Closed", {.end = End::kClose}, v1::RECEIPT_OUTCOME_IN_DOUBT, 0, "IN_DOUBT"},
        Row{"Reset", {.end = End::kReset}, v1::RECEIPT_OUTCOME_IN_DOUBT, 0, "IN_DOUBT"},
        Row{"Silent", {.end = End::kHold}, v1::RECEIPT_OUTCOME_IN_DOUBT, 0, "IN_DOUBT"},
        Row{"SlowBytes",
            {.answer = "HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n", .end = End::kDrip},
            v1::RECEIPT_OUTCOME_IN_DOUBT,
            201,
            "IN_DOUBT"},
        Row{"CutOff",
            {.answer = kCreated.substr(0, kCreated.size() - 1), .end = End::kClose},
            v1::RECEIPT_OUTCOME_IN_DOUBT,
            201,
            "IN_DOUBT"},
        Row{"NotHttp",
            {.answer = "220 mail ready\r\n", .end = End::kClose},
            v1::RECEIPT_OUTCOME_IN_DOUBT,
            0,
            "IN_DOUBT"},
        Row{"Huge",
            {.answer = HttpAnswer(201, std::string(kMaxAnswer + 1, 'x'))},
            v1::RECEIPT_OUTCOME_IN_DOUBT,
            201,
            "IN_DOUBT"},
        Row{"Garbage",
            {.answer = HttpAnswer(201, "{\"sid\":")},
            v1::RECEIPT_OUTCOME_IN_DOUBT,
            201,
            "IN_DOUBT"},
        Row{"BadGateway",
            {.answer = HttpAnswer(502, "<html>bad gateway</html>")},
            v1::RECEIPT_OUTCOME_IN_DOUBT,
            502,
            "IN_DOUBT"},
        Row{"Redirection",
            {.answer = HttpAnswer(302, "", "Location: http://127.0.0.1:1/\r\n")},
            v1::RECEIPT_OUTCOME_IN_DOUBT,
            302,
            "IN_DOUBT"},
        Row{"Refused",
            {.answer = HttpAnswer(400, R"({"code":21211})")},
            v1::RECEIPT_OUTCOME_REFUSED,
            400,
            "TWILIO_API_ERROR"},
        Row{"Unauthorized",
            {.answer = HttpAnswer(401, R"({"code":20003})", "WWW-Authenticate: Basic\r\n")},
            v1::RECEIPT_OUTCOME_REFUSED,
            401,
            "TWILIO_API_ERROR"}),
    [](const auto& row) { return row.param.name; });

// R2
TEST_F(RestClientTest, HonoursRetryAfter) {
  Begin({{.answer = HttpAnswer(429, R"({"code":20429})", "RETRY-AFTER:  3 \r\n")}});
  const v1::Receipt receipt = Post();
  ExpectOutcome(receipt, v1::RECEIPT_OUTCOME_RATE_LIMITED);
  EXPECT_EQ(receipt.retry_after_us(), 3'000'000);
  EXPECT_EQ(receipt.provider_code(), 20429);
}

TEST_F(RestClientTest, KeepsToADeadlineThatComesBeforeItsLimit) {
  Begin({{.end = End::kHold}});
  ExpectOutcome(Post(std::chrono::steady_clock::now() + 1s), v1::RECEIPT_OUTCOME_IN_DOUBT);
}

TEST_F(RestClientTest, BeginsNothingAfterItsDeadline) {
  Begin({{.answer = kCreated}});
  ExpectOutcome(Post(std::chrono::steady_clock::now()), v1::RECEIPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server->Requests(), IsEmpty());
  EXPECT_EQ(client->Counters().requests, 0U);
}

TEST_F(RestClientTest, HasNotSentWhatMetNoTls) {
  Begin({{.read = Read::kSomething, .answer = HttpAnswer(400, "no TLS"), .end = End::kClose}},
        kPostLimit, "https");
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server->Requests(), IsEmpty());
}

TEST_F(RestClientTest, HasNotSentWhatWasRefusedAConnection) {
  const int bound =
      ::socket(AF_INET, SOCK_STREAM, 0);  // bound but not listening: nobody else takes it
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(bound, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(bound, reinterpret_cast<sockaddr*>(&address), &size), 0);
  BeginAt("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  const v1::Receipt receipt = Post();
  ExpectOutcome(receipt, v1::RECEIPT_OUTCOME_NOT_SENT);
  EXPECT_EQ(receipt.reason(), "TWILIO_API_ERROR");
  ::close(bound);
}

TEST_F(RestClientTest, HasNotSentWhatHasNoAddress) {
  BeginAt("http://tocsin.invalid");
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_NOT_SENT);
}

TEST_F(RestClientTest, SpeaksHttpOnly) {
  BeginAt("file:///tmp");
  ExpectOutcome(Post(), v1::RECEIPT_OUTCOME_NOT_SENT);
}

}  // namespace
}  // namespace tocsin::twilio
