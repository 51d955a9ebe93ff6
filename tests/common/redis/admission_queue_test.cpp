#include "common/redis/admission_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "tests/common/redis/admit_request.h"
#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

// The request timeout, with a margin for a busy machine.
constexpr std::chrono::seconds kTimeoutWithMargin{5};

// Counts the results of `count` admissions.
struct ResultCounter {
  explicit ResultCounter(std::ptrdiff_t count) : remaining(count) {}
  std::function<void(Result<Admission>)> Callback() {
    return [this](const Result<Admission>& admission) {
      if (admission)
        ++admitted;
      else if (admission.error().code == ErrorCode::kOverloaded)
        ++overloaded;
      else
        ++unavailable;
      remaining.count_down();
    };
  }
  std::latch remaining;
  std::atomic<int> admitted = 0;
  std::atomic<int> overloaded = 0;
  std::atomic<int> unavailable = 0;
};

TEST(AdmissionQueueTest, CompletesEachOfManyConcurrentRequestsOnce) {
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  MarkRestored(server);
  AdmissionQueue queue(server);
  constexpr int kRequests = 2'000;
  ResultCounter results(kRequests);
  for (int i = 0; i < kRequests; ++i) queue.Admit(ARequest(), results.Callback());
  results.remaining.wait();
  EXPECT_EQ(results.admitted, kRequests);
}

TEST(AdmissionQueueTest, ReloadsItsScriptsAfterAScriptFlush) {
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  MarkRestored(server);
  AdmissionQueue queue(server);
  for (int round = 0; round < 2; ++round) {
    ResultCounter results(10);
    for (int i = 0; i < 10; ++i) queue.Admit(ARequest(), results.Callback());
    results.remaining.wait();
    EXPECT_EQ(results.admitted, 10);
    redis.Execute({"SCRIPT", "FLUSH"});
  }
}

TEST(AdmissionQueueTest, FailsWithinTheTimeoutWhileRedisIsPausedAndRecovers) {
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  MarkRestored(server);
  AdmissionQueue queue(server);
  constexpr int kRequests = 3'000;  // several batches, which must not wait for one timeout each
  redis.Pause();
  const SteadyTime start = std::chrono::steady_clock::now();
  ResultCounter refused(kRequests);
  for (int i = 0; i < kRequests; ++i) queue.Admit(ARequest(), refused.Callback());
  refused.remaining.wait();
  EXPECT_EQ(refused.unavailable, kRequests);
  EXPECT_LT(std::chrono::steady_clock::now() - start, kTimeoutWithMargin);
  redis.Resume();
  ResultCounter served(1);
  queue.Admit(ARequest(), served.Callback());
  served.remaining.wait();
  EXPECT_EQ(served.admitted, 1);
}

TEST(AdmissionQueueTest, FailsWhileRedisIsDownAndReconnects) {
  PrivateRedis redis({"--appendfsync", "always"});
  Server server(redis.ServerSettings());
  MarkRestored(server);
  AdmissionQueue queue(server);
  const auto admit = [&queue] {
    ResultCounter results(1);
    queue.Admit(ARequest(), results.Callback());
    results.remaining.wait();
    return results.admitted == 1;
  };
  EXPECT_TRUE(admit());
  redis.Kill();
  EXPECT_FALSE(admit());
  redis.Start();
  MarkRestored(server);
  EXPECT_TRUE(admit());
}

TEST(AdmissionQueueTest, RefusesRequestsBeyondItsLimit) {
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  redis.Pause();
  AdmissionQueue queue(server, 1, 4);
  constexpr int kRequests = 400;
  ResultCounter results(kRequests);
  for (int i = 0; i < kRequests; ++i) queue.Admit(ARequest(), results.Callback());
  EXPECT_GT(results.overloaded, 0);
  EXPECT_LE(queue.Depth(), 4u);
  results.remaining.wait();
  EXPECT_EQ(results.overloaded + results.unavailable, kRequests);
}

// The thread of `queue` waits for Redis, which is paused, with one request.
void Occupy(AdmissionQueue& queue, const std::function<void(Result<Admission>)>& done) {
  queue.Admit(ARequest(), done);
  while (queue.Depth() > 0) std::this_thread::yield();
}

AdmitRequest AnEmergency() {
  AdmitRequest request = ARequest();
  request.emergency = true;
  return request;
}

TEST(AdmissionQueueTest, OtherRequestsLeaveRoomForUrgentOnes) {  // A4
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  redis.Pause();
  AdmissionQueue queue(server, 1, 4);
  ResultCounter others(7), emergency(1);
  Occupy(queue, others.Callback());
  for (int i = 0; i < 6; ++i) queue.Admit(ARequest(), others.Callback());
  EXPECT_EQ(others.overloaded, 2);
  queue.Admit(AnEmergency(), emergency.Callback());
  std::promise<ErrorCode> mark, code;
  queue.Mark({.alert_id = "an alert", .client_id = "client", .time = {}},
             [&](const Result<MarkResult>& marked) { mark.set_value(marked.error().code); });
  queue.FindAckCode(
      {.recipient_token = "a token", .code = "", .evidence = "SM1", .time = {}},
      [&](const Result<AckCodeMatches>& found) { code.set_value(found.error().code); });
  EXPECT_EQ(mark.get_future().get(), ErrorCode::kRedisUnavailable) << "not overloaded";
  EXPECT_EQ(code.get_future().get(), ErrorCode::kRedisUnavailable);
  emergency.remaining.wait();
  EXPECT_EQ(emergency.overloaded, 0);
  others.remaining.wait();
}

TEST(AdmissionQueueTest, UrgentRequestsAreSentFirst) {  // A4
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  redis.Pause();
  AdmissionQueue queue(server, 1);
  std::vector<std::string> order;  // on the thread of the queue
  std::latch remaining(6);
  const auto note = [&](const std::string& name) {
    return [&order, &remaining, name](const auto&...) {
      order.push_back(name);
      remaining.count_down();
    };
  };
  Occupy(queue, note("first"));
  queue.Admit(ARequest(), note("other"));
  queue.Confirm("an alert", {}, note("other"));
  queue.Admit(AnEmergency(), note("urgent"));
  queue.ConfirmEmergency("an emergency", {}, note("urgent"));
  queue.Mark({.alert_id = "an alert", .client_id = "client", .time = {}}, note("urgent"));
  redis.Resume();
  remaining.wait();
  EXPECT_EQ(order,
            (std::vector<std::string>{"first", "urgent", "urgent", "urgent", "other", "other"}));
}

TEST(AdmissionQueueTest, StopCompletesQueuedRequestsAndRefusesLaterOnes) {
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  AdmissionQueue queue(server);
  redis.Pause();
  constexpr int kRequests = 1'000;
  ResultCounter results(kRequests), later(1);
  for (int i = 0; i < kRequests; ++i) queue.Admit(ARequest(), results.Callback());
  queue.Stop();
  EXPECT_EQ(results.admitted + results.unavailable, kRequests);
  queue.Admit(ARequest(), later.Callback());
  EXPECT_EQ(later.overloaded, 1);
  bool confirmed = false;
  queue.Confirm("an alert", {}, [&] { confirmed = true; });
  EXPECT_TRUE(confirmed) << "its caller waits";
}

TEST(AdmissionQueueTest, CompletesQueuedRequestsBeforeItIsDestroyed) {
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  constexpr int kRequests = 1'000;
  ResultCounter results(kRequests);
  {
    AdmissionQueue queue(server);
    redis.Pause();
    for (int i = 0; i < kRequests; ++i) queue.Admit(ARequest(), results.Callback());
  }
  EXPECT_EQ(results.admitted + results.unavailable, kRequests);
}

TEST(AdmissionQueueTest, EveryAlertExpires) {
  PrivateRedis redis;
  Server server(redis.ServerSettings());
  MarkRestored(server);
  const AdmitRequest request = ARequest();
  const std::vector<std::string> ids{request.alert_id, "expired"};
  {
    AdmissionQueue queue(server);
    ResultCounter results(1);
    queue.Admit(request, results.Callback());
    results.remaining.wait();
    for (const std::string& id : ids) queue.Confirm(id, {}, [] {});
  }
  const Keys keys("tocsin");
  for (const std::string& id : ids)
    EXPECT_GT(redis.Execute({"PTTL", keys.Alert(id)}).integer, 0) << id;
}

}  // namespace
}  // namespace tocsin::redis
