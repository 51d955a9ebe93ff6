#include "common/twilio/rest/rest_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "common/async/sync_wait.h"
#include "tests/common/twilio/rest/scripted_server.h"

namespace tocsin::twilio {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::ElementsAre;
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
    HttpResponseText(201, R"({"sid":")" + kSid + R"(","num_segments":"1"})",
                     "Twilio-Request-Id: RQ1\r\nContent-Type: application/json\r\n");
const FormFields kForm{{"To", "+15145550123"}, {"Body", "a b&c"}};

Account AnAccount() {
  return {.sid = "AC0123456789abcdef0123456789abcdef",
          .auth_token = Secret("token"),
          .secondary_auth_token = {}};
}

class RestClientTest : public testing::Test {
 protected:
  void Start(std::vector<Step> script, std::chrono::milliseconds timeout = kPostTimeout,
             const std::string& scheme = "http") {
    server = std::make_unique<ScriptedServer>(std::move(script));
    StartAt(server->Url(scheme), timeout);
  }
  void StartAt(const std::string& url, std::chrono::milliseconds timeout = kPostTimeout,
               const std::string& proxy = "") {
    RestSettings settings;
    settings.base_url = url;
    settings.proxy = proxy;
    settings.post_timeout = timeout;
    settings.observe = [this](const PostReport& report) { reports.push_back(report); };
    client = std::make_unique<RestClient>(loop, settings);
  }
  void StartBehindAProxy(std::vector<Step> script) {
    server = std::make_unique<ScriptedServer>(std::move(script));
    StartAt("https://127.0.0.1:1", kPostTimeout, server->Url());
  }
  records::v1::AttemptResult Post(SteadyTime deadline = SteadyTime::max()) {
    return SyncWait(loop, client->Post(AnAccount(), "Messages.json", kForm, deadline));
  }
  records::v1::AttemptResult PostText(size_t size) {
    const FormFields form{{"Body", std::string(size, 'x')}};
    return SyncWait(loop, client->Post(AnAccount(), "Messages.json", form, SteadyTime::max()));
  }

  EventLoop loop;
  std::unique_ptr<ScriptedServer> server;
  std::unique_ptr<RestClient> client;  // destroyed first: the server may wait for its connection
  std::vector<PostReport> reports;
};

void ExpectOutcome(const records::v1::AttemptResult& result, records::v1::AttemptOutcome expected) {
  EXPECT_EQ(records::v1::AttemptOutcome_Name(result.outcome()),
            records::v1::AttemptOutcome_Name(expected));
}

// S1
TEST_F(RestClientTest, PostsAFormAndReturnsTheSid) {
  Start({{.response = kCreated}});
  const records::v1::AttemptResult result = Post();
  ExpectOutcome(result, records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  EXPECT_EQ(result.provider_sid(), kSid);
  EXPECT_EQ(result.segment_count(), 1U);
  const auto requests = server->Requests();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_THAT(requests[0], StartsWith("POST /2010-04-01/Accounts/" + AnAccount().sid +
                                      "/Messages.json HTTP/1.1\r\n"));
  EXPECT_THAT(requests[0], HasSubstr("Content-Type: application/x-www-form-urlencoded\r\n"));
  EXPECT_THAT(requests[0],
              HasSubstr("Authorization: Basic " + Base64Encode(AnAccount().sid + ":token")));
  EXPECT_THAT(requests[0], Not(HasSubstr("Expect:")));
  EXPECT_THAT(requests[0], EndsWith("\r\n\r\n" + FormEncode(kForm)));
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].request_id, "RQ1");
  EXPECT_TRUE(reports[0].new_connection);
}

TEST_F(RestClientTest, ChecksConnectivityWithoutARequest) {  // O2
  Start({{.response = kCreated}});
  EXPECT_TRUE(client->CheckConnectivity());
  EXPECT_THAT(server->Requests(), SizeIs(0));
  StartAt("http://127.0.0.1:1");
  EXPECT_EQ(client->CheckConnectivity().error().code, ErrorCode::kTwilioApiError);
}

// R8
TEST_F(RestClientTest, ReusesItsConnectionAndCountsConnections) {
  Start({{.response = kCreated}, {.response = kCreated}, {.response = kCreated}});
  for (int i = 0; i < 3; ++i) ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  EXPECT_EQ(client->Counters().requests, 3U);
  EXPECT_EQ(client->Counters().connections, 1U);
  EXPECT_EQ(server->Connections(), 1);
}

// R4: libcurl by default resends the second POST on a new connection.
TEST_F(RestClientTest, NeverResendsAPostWhoseReusedConnectionWasClosed) {
  Start({{.response = kCreated}, {.end = End::kClose}, {.response = kCreated}});
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  EXPECT_THAT(server->Requests(), SizeIs(2));
}

TEST_F(RestClientTest, NeverResendsAPostWhoseReusedConnectionWasReset) {
  Start({{.response = kCreated}, {.end = End::kReset}, {.response = kCreated}});
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  EXPECT_THAT(server->Requests(), SizeIs(2));
}

// libcurl opens another connection first, so its error is "connection refused".
TEST_F(RestClientTest, IsInDoubtWhenTheReusedConnectionWasClosedAndReconnectingFails) {
  Start({{.response = kCreated}, {.end = End::kGone}});
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  EXPECT_THAT(server->Requests(), SizeIs(2));
}

TEST_F(RestClientTest, ResendsAGetWhoseReusedConnectionWasClosed) {
  Start({{.response = kCreated}, {.end = End::kClose}, {.response = HttpResponseText(200, "{}")}});
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  EXPECT_EQ(SyncWait(loop, client->Get(AnAccount(), "/Messages.json", SteadyTime::max(), 100)),
            "{}");
  EXPECT_THAT(server->Requests(), SizeIs(3));
}

TEST_F(RestClientTest, SendsAgainAfterAnAttemptInDoubt) {
  Start({{.end = End::kClose}, {.response = kCreated}});
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  EXPECT_EQ(client->Counters().connections, 2U);
}

TEST_F(RestClientTest, IsNeverAcceptedWithoutAResponse) {
  Start({{.read = Read::kNothing, .end = End::kReset}});
  // Depends on whether the reset arrived before the body was written.
  EXPECT_THAT(Post().outcome(),
              AnyOf(records::v1::ATTEMPT_OUTCOME_NOT_SENT, records::v1::ATTEMPT_OUTCOME_IN_DOUBT));
  EXPECT_THAT(server->Requests(), IsEmpty());
}

// libcurl writes a small form with the header section, and a large one after it.
TEST_F(RestClientTest, PostsFormsOfAllSizes) {
  Start({{.response = kCreated}, {.response = kCreated}, {.response = kCreated}});
  for (const size_t size : {1'000, 60'000, 1'000'000}) {
    ExpectOutcome(PostText(size), records::v1::ATTEMPT_OUTCOME_ACCEPTED);
    EXPECT_THAT(server->Requests().back(), EndsWith("\r\n\r\nBody=" + std::string(size, 'x')));
  }
}

TEST_F(RestClientTest, IsInDoubtWhenAPartOfTheRequestWasRead) {
  const Step step{.read = Read::kSomething, .end = End::kReset};
  Start({step, step, step});
  for (const size_t size : {1'000, 60'000, 10'000'000})
    ExpectOutcome(PostText(size), records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  EXPECT_THAT(server->Requests(), IsEmpty());
}

TEST_F(RestClientTest, IsNotSentIfTheProxyOpensNoTunnel) {
  StartBehindAProxy({{.response = HttpResponseText(407, "")}});
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server->Requests(), ElementsAre(StartsWith("CONNECT ")));
}

TEST_F(RestClientTest, IsNotSentWithoutTlsInTheTunnel) {
  StartBehindAProxy({{.response = "HTTP/1.1 200 OK\r\n\r\n"},
                     {.read = Read::kSomething, .response = "no TLS", .end = End::kClose}});
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server->Requests(), ElementsAre(StartsWith("CONNECT ")));
}

struct Row {
  const char* name;
  Step step;
  records::v1::AttemptOutcome outcome;
  unsigned http_status;
  std::string reason;
};

class PostOutcomeTest : public RestClientTest, public testing::WithParamInterface<Row> {};

// R4
TEST_P(PostOutcomeTest, HasTheOutcomeThatIsProven) {
  const End end = GetParam().step.end;
  const bool waits = end == End::kHold || end == End::kDrip;
  Start({GetParam().step}, waits ? 1s : std::chrono::milliseconds(kPostTimeout));
  const records::v1::AttemptResult result = Post();
  ExpectOutcome(result, GetParam().outcome);
  EXPECT_EQ(result.http_status(), GetParam().http_status);
  EXPECT_EQ(result.reason(), GetParam().reason);
  EXPECT_THAT(server->Requests(), SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(
    Responses, PostOutcomeTest,
    testing::Values(
        Row{"Closed", {.end = End::kClose}, records::v1::ATTEMPT_OUTCOME_IN_DOUBT, 0, "IN_DOUBT"},
        Row{"Reset", {.end = End::kReset}, records::v1::ATTEMPT_OUTCOME_IN_DOUBT, 0, "IN_DOUBT"},
        Row{"Silent", {.end = End::kHold}, records::v1::ATTEMPT_OUTCOME_IN_DOUBT, 0, "IN_DOUBT"},
        Row{"SlowBytes",
            {.response = "HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n",
             .end = End::kDrip},
            records::v1::ATTEMPT_OUTCOME_IN_DOUBT,
            201,
            "IN_DOUBT"},
        Row{"Truncated",
            {.response = kCreated.substr(0, kCreated.size() - 1), .end = End::kClose},
            records::v1::ATTEMPT_OUTCOME_IN_DOUBT,
            201,
            "IN_DOUBT"},
        Row{"NotHttp",
            {.response = "220 mail ready\r\n", .end = End::kClose},
            records::v1::ATTEMPT_OUTCOME_IN_DOUBT,
            0,
            "IN_DOUBT"},
        Row{"Huge",
            {.response = HttpResponseText(201, std::string(kMaxResponseBody + 1, 'x'))},
            records::v1::ATTEMPT_OUTCOME_IN_DOUBT,
            201,
            "IN_DOUBT"},
        Row{"Garbage",
            {.response = HttpResponseText(201, "{\"sid\":")},
            records::v1::ATTEMPT_OUTCOME_IN_DOUBT,
            201,
            "IN_DOUBT"},
        Row{"BadGateway",
            {.response = HttpResponseText(502, "<html>bad gateway</html>")},
            records::v1::ATTEMPT_OUTCOME_IN_DOUBT,
            502,
            "IN_DOUBT"},
        Row{"Redirection",
            {.response = HttpResponseText(302, "", "Location: http://127.0.0.1:1/\r\n")},
            records::v1::ATTEMPT_OUTCOME_IN_DOUBT,
            302,
            "IN_DOUBT"},
        Row{"Refused",
            {.response = HttpResponseText(400, R"({"code":21211})")},
            records::v1::ATTEMPT_OUTCOME_REFUSED,
            400,
            "TWILIO_API_ERROR"},
        Row{"Unauthorized",
            {.response = HttpResponseText(401, R"({"code":20003})", "WWW-Authenticate: Basic\r\n")},
            records::v1::ATTEMPT_OUTCOME_REFUSED,
            401,
            "TWILIO_API_ERROR"}),
    [](const auto& row) { return row.param.name; });

// R2
TEST_F(RestClientTest, ReturnsRetryAfter) {
  Start({{.response = HttpResponseText(429, R"({"code":20429})", "RETRY-AFTER:  3 \r\n")}});
  const records::v1::AttemptResult result = Post();
  ExpectOutcome(result, records::v1::ATTEMPT_OUTCOME_RATE_LIMITED);
  EXPECT_EQ(result.retry_after_us(), 3'000'000);
  EXPECT_EQ(result.provider_code(), 20429);
}

TEST_F(RestClientTest, StopsAtADeadlineBeforeItsTimeout) {
  Start({{.end = End::kHold}});
  ExpectOutcome(Post(std::chrono::steady_clock::now() + 1s), records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
}

TEST_F(RestClientTest, SendsNothingAfterItsDeadline) {
  Start({{.response = kCreated}});
  ExpectOutcome(Post(std::chrono::steady_clock::now()), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server->Requests(), IsEmpty());
  EXPECT_EQ(client->Counters().requests, 0U);
}

TEST_F(RestClientTest, IsNotSentWithoutTls) {
  Start(
      {{.read = Read::kSomething, .response = HttpResponseText(400, "no TLS"), .end = End::kClose}},
      kPostTimeout, "https");
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  EXPECT_THAT(server->Requests(), IsEmpty());
}

// How often a file is opened, by any process.
class OpenCounter {
 public:
  explicit OpenCounter(const char* path) {
    if (::inotify_add_watch(inotify_, path, IN_OPEN) < 0) std::abort();
  }
  ~OpenCounter() { ::close(inotify_); }
  OpenCounter(const OpenCounter&) = delete;
  OpenCounter& operator=(const OpenCounter&) = delete;

  // Equal events that were not read count once: call it after each open.
  int Count() {
    inotify_event event{};  // of a file: without a name
    while (::read(inotify_, &event, sizeof event) == sizeof event) ++count_;
    return count_;
  }

 private:
  const int inotify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  int count_ = 0;
};

// R8: parsing them takes 20 ms, in which the loop does nothing else.
TEST_F(RestClientTest, ParsesTheAuthoritiesOnceForAllConnections) {
  constexpr int kConnections = 10;
  const Step no_tls{.read = Read::kSomething, .response = "no TLS", .end = End::kClose};
  Start(std::vector<Step>(kConnections, no_tls), kPostTimeout, "https");
  OpenCounter opens(curl_version_info(CURLVERSION_NOW)->cainfo);
  for (int i = 0; i < kConnections; ++i) {
    ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
    opens.Count();
  }
  EXPECT_EQ(server->Connections(), kConnections);
  EXPECT_GE(opens.Count(), 1);
  EXPECT_LT(opens.Count(), kConnections / 2);  // other tests may open the file at the same time
}

TEST_F(RestClientTest, IsNotSentWhenTheConnectionIsRefused) {
  const int bound = ::socket(AF_INET, SOCK_STREAM, 0);  // bound but not listening
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(bound, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(bound, reinterpret_cast<sockaddr*>(&address), &size), 0);
  StartAt("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  const records::v1::AttemptResult result = Post();
  ExpectOutcome(result, records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  EXPECT_EQ(result.reason(), "TWILIO_API_ERROR");
  ::close(bound);
}

TEST_F(RestClientTest, IsNotSentToAnUnknownHost) {
  StartAt("http://tocsin.invalid");
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
}

TEST_F(RestClientTest, SupportsOnlyHttp) {
  StartAt("file:///tmp");
  ExpectOutcome(Post(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
}

}  // namespace
}  // namespace tocsin::twilio
