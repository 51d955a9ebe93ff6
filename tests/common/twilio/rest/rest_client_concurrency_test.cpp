// Many requests in progress on one loop: R8, R4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/async/sync_wait.h"
#include "common/twilio/rest/loop_timer.h"
#include "common/twilio/rest/rest_client.h"
#include "tests/common/twilio/rest/holding_server.h"
#include "tests/common/twilio/rest/scripted_server.h"

namespace tocsin::twilio {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const std::string kCreated =
    HttpResponseText(201, R"({"sid":"SM0a0b0c0d0e0f00010203040506070809"})");
constexpr auto kAccepted = records::v1::ATTEMPT_OUTCOME_ACCEPTED;

Account AnAccount(const std::string& sid = "AC1", const std::string& token = "t") {
  return {.sid = sid, .auth_token = Secret(token), .secondary_auth_token = {}};
}

class ConcurrentPostsTest : public testing::Test {
 protected:
  void Start(HoldingServer::Holds holds) {
    server.emplace(kCreated, std::move(holds));
    client.emplace(loop, RestSettings{.base_url = server->Url(),
                                      .observe = [&](auto& report) { reports.push_back(report); }});
  }
  // Starts a POST that appends its outcome to `outcomes`, and stops the loop if it is the last of
  // `expected` ones.
  void StartPost(const std::string& body = "hi", const Account& account = AnAccount()) {
    group.Start(
        Post(client->Post(account, "Messages.json", {{"Body", body}}, SteadyTime::max()), body));
  }
  Task<void> Post(Task<records::v1::AttemptResult> post, std::string body) {
    const records::v1::AttemptResult result = co_await std::move(post);
    outcomes.push_back(result.outcome());
    bodies.push_back(std::move(body));
    if (outcomes.size() == expected) loop.Stop();
  }

  EventLoop loop;
  std::optional<HoldingServer> server;
  std::vector<PostReport> reports;
  std::optional<RestClient> client;  // destroyed before the server, which waits for connections
  TaskGroup group;
  std::vector<records::v1::AttemptOutcome> outcomes;
  std::vector<std::string> bodies;  // of the POSTs that ended, in their order
  size_t expected = 0;
};

TEST_F(ConcurrentPostsTest, AreAllInProgressAtTheSameTime) {
  constexpr size_t kPosts = 100;
  size_t arrived = 0;
  // The server responds only when all have arrived.
  Start([&](const std::string&) {
    if (++arrived == kPosts) loop.Post([&] { server->Release(); });
    return true;
  });
  expected = kPosts;
  for (size_t i = 0; i < kPosts; ++i) StartPost();
  EXPECT_THAT(outcomes, IsEmpty());
  loop.Run();
  EXPECT_THAT(outcomes, SizeIs(kPosts));
  EXPECT_THAT(outcomes, Each(kAccepted));
  EXPECT_THAT(reports, SizeIs(kPosts));
  EXPECT_EQ(server->Connections(), static_cast<int>(kPosts));
}

TEST_F(ConcurrentPostsTest, ReuseTheConnectionsOfThoseBefore) {
  constexpr size_t kPosts = 20;
  Start([](const std::string&) { return false; });
  expected = kPosts;
  for (size_t i = 0; i < kPosts; ++i) StartPost();
  loop.Run();
  const int connections = server->Connections();
  EXPECT_EQ(client->Counters().connections, static_cast<std::uint64_t>(connections));
  expected = 2 * kPosts;
  for (size_t i = 0; i < kPosts; ++i) StartPost();
  loop.Run();
  EXPECT_THAT(outcomes, Each(kAccepted));
  EXPECT_EQ(client->Counters().requests, 2 * kPosts);
  EXPECT_EQ(server->Connections(), connections);
}

TEST_F(ConcurrentPostsTest, UseAConnectionThatWasOpenedBefore) {
  Start([](const std::string&) { return false; });
  const auto post_when_open = [this]() -> Task<void> {
    co_await client->OpenConnection();
    EXPECT_EQ(client->Counters().connections, 1U);
    StartPost();
  };
  expected = 1;
  TaskGroup tasks;
  tasks.Start(post_when_open());
  loop.Run();
  EXPECT_THAT(outcomes, Each(kAccepted));
  EXPECT_EQ(server->Connections(), 1);
}

TEST_F(ConcurrentPostsTest, KeepABoundedNumberOfIdleConnections) {
  constexpr size_t kPosts = kMaxIdleConnections + 40;
  size_t arrived = 0;
  Start([&](const std::string&) {
    if (++arrived == kPosts) loop.Post([&] { server->Release(); });
    return true;
  });
  expected = kPosts;
  for (size_t i = 0; i < kPosts; ++i) StartPost();
  loop.Run();
  server->WaitForClosed(20);  // several may end in one step of libcurl
  EXPECT_THAT(outcomes, Each(kAccepted));
}

TEST_F(ConcurrentPostsTest, DoNotWaitForASlowOne) {
  Start([](const std::string& request) { return request.ends_with("Body=slow"); });
  expected = 5;
  StartPost("slow");
  for (size_t i = 0; i < expected; ++i) StartPost("fast");
  loop.Run();
  EXPECT_THAT(bodies, Not(Contains("slow")));
  server->Release();
  expected = 6;
  loop.Run();
  EXPECT_EQ(bodies.back(), "slow");
  EXPECT_THAT(outcomes, Each(kAccepted));
}

// At shutdown after its deadline.
TEST_F(ConcurrentPostsTest, CloseTheirConnectionWhenTheirTaskIsDestroyed) {
  Start([&](const std::string&) {
    loop.Stop();
    return true;
  });
  StartPost();
  loop.Run();
  group.Clear();
  server->Release();
  server->WaitForClosed(1);
  expected = 1;
  StartPost();  // the client still works
  loop.Run();
  loop.Run();  // the server has stopped it once
  EXPECT_THAT(outcomes, ElementsAre(kAccepted));
  EXPECT_THAT(reports, SizeIs(1));
  EXPECT_EQ(server->Connections(), 2);
}

TEST_F(ConcurrentPostsTest, CanBeDestroyedByAnotherThatEnds) {
  Start([](const std::string& request) { return request.ends_with("Body=slow"); });
  const FormFields form{{"Body", "fast"}};
  TaskGroup slow;
  slow.Start(Post(client->Post(AnAccount(), "Messages.json", {{"Body", "slow"}}, SteadyTime::max()),
                  "slow"));
  const auto end_slow = [&]() -> Task<void> {
    co_await client->Post(AnAccount(), "Messages.json", form, SteadyTime::max());
    slow.Clear();
    loop.Stop();
  };
  group.Start(end_slow());
  loop.Run();
  EXPECT_THAT(bodies, IsEmpty());
}

// They use the same connections, but never each other's credentials.
TEST_F(ConcurrentPostsTest, HaveTheCredentialsOfTheirAccount) {
  Start([](const std::string&) { return false; });
  for (const char* sid : {"AC1", "AC2", "AC1"}) {
    expected = outcomes.size() + 1;
    StartPost("hi", AnAccount(sid, std::string("token of ") + sid));
    loop.Run();
  }
  const auto requests = server->Requests();
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_THAT(requests[0], HasSubstr(Base64Encode("AC1:token of AC1")));
  EXPECT_THAT(requests[1], HasSubstr(Base64Encode("AC2:token of AC2")));
  EXPECT_THAT(requests[1], HasSubstr("/Accounts/AC2/"));
  EXPECT_THAT(requests[2], HasSubstr(Base64Encode("AC1:token of AC1")));
  EXPECT_EQ(server->Connections(), 1);
}

TEST_F(ConcurrentPostsTest, EndAtOnceWithoutALoopThatRunsIfTheyCannotStart) {
  RestClient unsupported(loop, {.base_url = "file:///tmp"});
  const auto result =
      RunReady(unsupported.Post(AnAccount(), "Messages.json", {{"Body", "hi"}}, SteadyTime::max()));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->outcome(), records::v1::ATTEMPT_OUTCOME_NOT_SENT);
}

// A GET after a POST on the same connection has neither a body nor the headers of a form.
TEST_F(ConcurrentPostsTest, LeaveNothingInTheNextRequest) {
  const ScriptedServer script({{.response = kCreated}, {.response = HttpResponseText(200, "{}")}});
  RestClient both(loop, {.base_url = script.Url()});
  SyncWait(loop, both.Post(AnAccount(), "Messages.json", {{"Body", "hi"}}, SteadyTime::max()));
  const auto body = SyncWait(loop, both.Get(AnAccount(), "/2010-04-01/x.json", SteadyTime::max()));
  ASSERT_TRUE(body);
  EXPECT_EQ(*body, "{}");
  const auto requests = script.Requests();
  EXPECT_THAT(requests[1], testing::StartsWith("GET /2010-04-01/x.json HTTP/1.1\r\n"));
  EXPECT_THAT(requests[1], Not(HasSubstr("Content-")));
  EXPECT_THAT(requests[1], Not(HasSubstr("traceparent")));
  EXPECT_EQ(script.Connections(), 1);
}

// The loop sees the end of the idle connection before libcurl does.
TEST_F(ConcurrentPostsTest, OpenAnotherConnectionAfterTheServerClosedTheIdleOne) {
  const ScriptedServer script(
      {{.response = kCreated, .end = Step::End::kClose}, {.response = kCreated}});
  RestClient again(loop, {.base_url = script.Url()});
  const FormFields form{{"Body", "hi"}};
  for (int i = 0; i < 2; ++i) {
    const auto result =
        SyncWait(loop, again.Post(AnAccount(), "Messages.json", form, SteadyTime::max()));
    EXPECT_EQ(result.outcome(), kAccepted);
    loop.After(20ms, [&] { loop.Stop(); });
    loop.Run();
  }
  EXPECT_EQ(script.Connections(), 2);
}

// The timers of its POSTs are still pending.
TEST_F(ConcurrentPostsTest, LeaveTheLoopUsableWhenTheirClientIsDestroyed) {
  HoldingServer prompt(kCreated, [](const std::string&) { return false; });
  {
    RestClient brief(loop, {.base_url = prompt.Url(), .post_timeout = 50ms});
    SyncWait(loop, brief.Post(AnAccount(), "Messages.json", {{"Body", "hi"}}, SteadyTime::max()));
  }
  loop.After(100ms, [&] { loop.Stop(); });
  loop.Run();
}

TEST(LoopTimerTest, FiresAtTheTimeOfTheLastSet) {
  EventLoop loop;
  const SteadyTime begin = std::chrono::steady_clock::now();
  std::vector<SteadyTime> fired;
  LoopTimer timer(loop, [&] {
    fired.push_back(std::chrono::steady_clock::now());
    loop.Stop();
  });
  timer.Set(begin + 1h);
  timer.Set(begin + 1ms);
  timer.Set(begin + 20ms);
  loop.Run();
  ASSERT_THAT(fired, SizeIs(1));
  EXPECT_GE(fired[0], begin + 20ms);
}

TEST(LoopTimerTest, DoesNotFireAfterItWasStopped) {
  EventLoop loop;
  bool fired = false;
  LoopTimer timer(loop, [&] { fired = true; });
  timer.Set(std::chrono::steady_clock::now());
  timer.Set(std::nullopt);
  loop.After(5ms, [&] { loop.Stop(); });
  loop.Run();
  EXPECT_FALSE(fired);
}

}  // namespace
}  // namespace tocsin::twilio
