#include "common/redis/script_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "common/ports/clock.h"
#include "common/redis/claim_store_restorer.h"
#include "tests/common/redis/blocking_claims.h"
#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

using State = ClaimReply::State;
using testing::Each;
using testing::SizeIs;

MATCHER(IsUnavailable, "") { return !arg && arg.error().code == ErrorCode::kRedisUnavailable; }
MATCHER(IsGranted, "") { return arg && arg->state == State::kGranted; }

ClaimRequest ARequest(std::size_t work_bytes = 0) {
  ClaimRequest request;
  request.attempt.set_alert_id(MakeUuidV5(RandomBytes(16)));
  request.attempt.set_step(1);
  request.attempt.set_attempt(1);
  request.lease = std::chrono::seconds(35);
  records::v1::WorkRecord work;
  *work.mutable_attempt() = request.attempt;
  work.set_body_digest(std::string(work_bytes, 'w'));
  request.work = work.SerializeAsString();
  request.expire_time = SystemClock().Now() + std::chrono::hours(1);
  return request;
}

std::vector<ClaimRequest> Requests(std::size_t count, std::size_t work_bytes = 0) {
  std::vector<ClaimRequest> requests;
  for (std::size_t i = 0; i < count; ++i) requests.push_back(ARequest(work_bytes));
  return requests;
}

class ScriptClientTest : public testing::Test {
 protected:
  explicit ScriptClientTest(std::chrono::milliseconds timeout = kRequestTimeout) {
    Settings settings = redis.ServerSettings();
    settings.request_timeout = timeout;
    server.emplace(settings);
    client.emplace(*server, loop);
    claims.emplace(*client);
  }

  Result<ClaimReply> Claim(const ClaimRequest& request) {
    return SyncWait(loop, claims->Claim(request));
  }

  // Requests that are in progress at the same time.
  struct Concurrent {
    explicit Concurrent(std::vector<ClaimRequest> some) : requests(std::move(some)) {}
    const std::vector<ClaimRequest> requests;
    std::vector<Result<ClaimReply>> replies;
    bool awaited = false;
    TaskGroup tasks;

    bool HasAll() const { return replies.size() == requests.size(); }
  };
  Task<void> ClaimOne(Concurrent& concurrent, const ClaimRequest& request) {
    concurrent.replies.push_back(co_await claims->Claim(request));
    if (concurrent.awaited && concurrent.HasAll()) loop.Stop();
  }
  // Runs the loop until they are sent.
  std::unique_ptr<Concurrent> Start(std::vector<ClaimRequest> requests) {
    auto concurrent = std::make_unique<Concurrent>(std::move(requests));
    for (const ClaimRequest& request : concurrent->requests)
      concurrent->tasks.Start(ClaimOne(*concurrent, request));
    RunPending();
    return concurrent;
  }
  const std::vector<Result<ClaimReply>>& Wait(Concurrent& concurrent) {
    concurrent.awaited = true;
    if (!concurrent.HasAll()) loop.Run();
    return concurrent.replies;
  }
  void RunPending() {
    loop.Stop();
    loop.Run();
  }

  // A number of INFO.
  std::int64_t InfoNumber(const std::string& name) const {
    const std::string info = redis.Execute({"INFO", "stats"}).text;
    const std::size_t at = info.find(name + ":");
    EXPECT_NE(at, std::string::npos) << name;
    return std::stoll(info.substr(at + name.size() + 1));
  }

  PrivateRedis redis;
  EventLoop loop;
  std::optional<Server> server;
  std::optional<ScriptClient> client;
  std::optional<ClaimStore> claims;
};

// The caller has decided by what is restored of the epoch that was adopted when it called.
TEST_F(ScriptClientTest, RefusesACallThatWaitedWhileAnEpochWasAdopted) {  // R1
  claims.reset();
  client.reset();
  Settings settings = redis.ServerSettings();
  settings.requires_restore = true;
  server.emplace(settings);
  client.emplace(*server, loop);
  claims.emplace(*client);
  ClaimStoreRestorer restorer(*server);
  const auto epoch = restorer.FindEpoch();
  ASSERT_TRUE(epoch) << epoch.error().message;
  const auto waiting = Start(Requests(1));  // for the first connection
  restorer.Adopt(*epoch, SystemClock().Now());
  EXPECT_THAT(Wait(*waiting), Each(IsUnavailable()));
  EXPECT_THAT(Claim(ARequest()), IsGranted());
}

class ShortTimeoutTest : public ScriptClientTest {
 protected:
  ShortTimeoutTest() : ScriptClientTest(std::chrono::milliseconds(200)) {}
};

class LongTimeoutTest : public ScriptClientTest {
 protected:
  LongTimeoutTest() : ScriptClientTest(std::chrono::seconds(60)) {}
};

TEST_F(LongTimeoutTest, EachCallInFlightGetsItsOwnReply) {
  const std::vector<ClaimRequest> requests = Requests(200);
  EXPECT_THAT(Wait(*Start(requests)), testing::AllOf(SizeIs(200), Each(IsGranted())));
  int own = 0;
  std::size_t left = requests.size();
  TaskGroup tasks;
  const auto find = [&](const ClaimRequest& request) -> Task<void> {
    const auto work = co_await claims->FindWork(request.attempt);
    own += work && *work == request.work ? 1 : 0;
    if (--left == 0) loop.Stop();
  };
  for (const ClaimRequest& request : requests) tasks.Start(find(request));
  loop.Run();
  EXPECT_EQ(own, 200);
}

TEST_F(LongTimeoutTest, CallsOfOneIterationAreSentTogether) {
  ASSERT_THAT(Claim(ARequest()), IsGranted());
  const std::int64_t before = InfoNumber("total_reads_processed");
  EXPECT_THAT(Wait(*Start(Requests(50))), Each(IsGranted()));
  EXPECT_LT(InfoNumber("total_reads_processed") - before, 10);
}

TEST_F(LongTimeoutTest, ConcurrentFirstCallsUseOneConnection) {
  const std::int64_t before = InfoNumber("total_connections_received");
  EXPECT_THAT(Wait(*Start(Requests(100))), Each(IsGranted()));
  EXPECT_EQ(InfoNumber("total_connections_received") - before, 2);  // and that of InfoNumber()
}

TEST_F(LongTimeoutTest, SendsMoreThanTheSocketTakesAndReadsItBack) {
  constexpr std::size_t kWorkBytes = 1u << 20;
  ASSERT_THAT(Claim(ARequest()), IsGranted());
  redis.Pause();
  const std::vector<ClaimRequest> requests = Requests(16, kWorkBytes);
  const auto concurrent = Start(requests);
  redis.Resume();
  EXPECT_THAT(Wait(*concurrent), Each(IsGranted()));
  for (const ClaimRequest& request : requests) {
    const auto work = SyncWait(loop, claims->FindWork(request.attempt));
    ASSERT_TRUE(work) << work.error().message;
    EXPECT_EQ(**work, request.work);
  }
}

TEST_F(ScriptClientTest, GrantsOneOfTheClaimsOfSeveralReplicas) {
  constexpr int kReplicas = 4;
  std::vector<std::unique_ptr<Server>> servers;
  std::vector<std::unique_ptr<BlockingClaims>> replicas;
  for (int i = 0; i < kReplicas; ++i) {
    servers.push_back(std::make_unique<Server>(redis.ServerSettings()));
    replicas.push_back(std::make_unique<BlockingClaims>(*servers.back()));
  }
  for (int round = 0; round < 10; ++round) {
    const ClaimRequest request = ARequest();
    std::atomic<int> granted = 0;
    std::vector<std::thread> threads;
    for (const auto& replica : replicas)
      threads.emplace_back([&] {
        const auto reply = replica->Claim(request);
        granted += reply && reply->state == State::kGranted ? 1 : 0;
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(granted, 1);
  }
}

TEST_F(ScriptClientTest, SendsTheTextOfScriptsThatRedisNoLongerKnows) {
  ASSERT_THAT(Claim(ARequest()), IsGranted());
  redis.Execute({"SCRIPT", "FLUSH"});
  EXPECT_THAT(Wait(*Start(Requests(20))), Each(IsGranted()));
}

TEST_F(ScriptClientTest, AllCallsInFlightFailWhenTheConnectionIsLost) {
  ASSERT_THAT(Claim(ARequest()), IsGranted());
  redis.Pause();
  const auto concurrent = Start(Requests(20));
  redis.Kill();
  EXPECT_THAT(Wait(*concurrent), testing::AllOf(SizeIs(20), Each(IsUnavailable())));
  EXPECT_THAT(Claim(ARequest()), IsUnavailable());  // nothing listens
  redis.Start();
  EXPECT_THAT(Claim(ARequest()), IsGranted());
}

TEST_F(ScriptClientTest, AConnectionThatWasClosedWhileIdleFailsNoCall) {
  ASSERT_THAT(Claim(ARequest()), IsGranted());
  redis.Execute({"CLIENT", "KILL", "TYPE", "normal"});
  RunPending();
  EXPECT_THAT(Claim(ARequest()), IsGranted());
}

TEST_F(ShortTimeoutTest, EachCallFailsByItsDeadlineWhileRedisHangs) {
  ASSERT_THAT(Claim(ARequest()), IsGranted());
  redis.Pause();
  // On the connection, and on the new ones, which never open.
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(Wait(*Start(Requests(20))), testing::AllOf(SizeIs(20), Each(IsUnavailable())));
  redis.Resume();
  Result<ClaimReply> recovered;
  do {
    recovered = Claim(ARequest());  // may join the attempt that began while Redis hung
  } while (!recovered);
  EXPECT_THAT(recovered, IsGranted());
}

// The reply of a call that timed out must not be taken for that of a later call.
TEST_F(ShortTimeoutTest, ACallThatTimedOutMayHaveBeenExecuted) {
  ASSERT_THAT(Claim(ARequest()), IsGranted());
  const ClaimRequest late = ARequest();
  redis.Pause();
  EXPECT_THAT(Claim(late), IsUnavailable());
  redis.Resume();
  Result<ClaimReply> repeated;
  do {
    repeated = Claim(late);
  } while (!repeated);
  EXPECT_NE(repeated->state, State::kDone);
  EXPECT_THAT(Claim(ARequest()), IsGranted());
}

TEST_F(LongTimeoutTest, RefusesCallsBeyondTheLimit) {
  ASSERT_THAT(Claim(ARequest()), IsGranted());
  redis.Pause();
  const auto concurrent = Start(Requests(kMaxScriptCalls));
  const ClaimRequest request = ARequest();
  const auto refused = RunReady(claims->Claim(request));
  ASSERT_TRUE(refused) << "waits";
  EXPECT_THAT(*refused, IsUnavailable());
  redis.Resume();
  EXPECT_THAT(Wait(*concurrent), Each(IsGranted()));
  EXPECT_THAT(Claim(request), IsGranted());
  EXPECT_EQ(client->CallsInProgress(), 0u);
}

TEST_F(LongTimeoutTest, ATaskMayBeDestroyedWhileItsCallIsInFlight) {
  ASSERT_THAT(Claim(ARequest()), IsGranted());
  redis.Pause();
  auto destroyed = Start(Requests(10));
  const auto kept = Start(Requests(10));
  destroyed.reset();
  EXPECT_EQ(client->CallsInProgress(), 10u);
  redis.Resume();
  EXPECT_THAT(Wait(*kept), testing::AllOf(SizeIs(10), Each(IsGranted())));
  EXPECT_THAT(Claim(ARequest()), IsGranted());
}

TEST_F(ShortTimeoutTest, ATaskMayBeDestroyedWhileItWaitsForTheConnection) {
  redis.Pause();
  auto destroyed = Start(Requests(10));
  destroyed.reset();
  EXPECT_EQ(client->CallsInProgress(), 0u);
  redis.Resume();
  Result<ClaimReply> claim;
  do {
    claim = Claim(ARequest());
  } while (!claim);
  EXPECT_THAT(claim, IsGranted());
}

TEST_F(ShortTimeoutTest, MayBeDestroyedWhileItConnects) {
  redis.Pause();
  auto concurrent = Start(Requests(10));
  concurrent.reset();
  claims.reset();
  client.reset();
  RunPending();
  redis.Resume();
}

TEST_F(ScriptClientTest, WaitsBetweenAttemptsToConnect) {
  redis.Kill();
  const SteadyTime start = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Claim(ARequest()), IsUnavailable());
  EXPECT_GE(std::chrono::steady_clock::now() - start, 2 * kReconnectInterval);
}

}  // namespace
}  // namespace tocsin::redis
