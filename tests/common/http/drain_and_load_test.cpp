#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/common/http/server_fixture.h"

namespace tocsin::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

class DrainAndLoadTest : public ServerTest {};

// Draining

TEST_F(DrainAndLoadTest, CompletesStartedRequestsAndClosesIdleConnections) {
  Start({.threads = 1});
  Client idle(server->port());
  idle.Send(Get("/x"));
  EXPECT_EQ(idle.Read()->status, 200);
  Client busy(server->port());
  busy.Send(Get("/hold"));
  Responder held = test_handler.Await("/hold");
  Client halfway(server->port());
  halfway.Send(
      "POST /half HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(halfway.Read(true)->status, 100);

  bool drained = false;
  std::thread drainer([&] { drained = server->Drain(steady_clock::now() + kTimeout); });
  EXPECT_TRUE(idle.SeesClose());
  EXPECT_FALSE(Client(server->port()).Connected());
  halfway.Send("abc");
  const auto half = halfway.Read();
  EXPECT_EQ(half->body, "/half|abc");
  EXPECT_THAT(half->header, HasSubstr("Connection: close"));
  held.Send(Ok("finished"));
  const auto response = busy.Read();
  EXPECT_EQ(response->body, "finished");
  EXPECT_THAT(response->header, HasSubstr("Connection: close"));
  EXPECT_TRUE(busy.SeesClose());
  EXPECT_TRUE(halfway.SeesClose());
  busy.Reset();
  halfway.Reset();
  drainer.join();
  EXPECT_TRUE(drained);
}

TEST_F(DrainAndLoadTest, StopsDrainingAtTheDeadline) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold"));
  Responder held = test_handler.Await("/hold");
  EXPECT_FALSE(server->Drain(steady_clock::now() + milliseconds(30)));
  EXPECT_EQ(server->counts().in_flight, 1U);
}

// Load

TEST_F(DrainAndLoadTest, ServesTenThousandRequestsOverAFewConnections) {
  Start({.threads = 2});
  constexpr int kClients = 8;
  constexpr int kRequests = 1250;
  std::vector<std::thread> clients;
  std::atomic<int> correct = 0;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      Client client(server->port());
      for (int i = 0; i < kRequests; ++i) {
        const std::string target = "/" + std::to_string(c) + "/" + std::to_string(i);
        if (!client.Send(Get(target))) return;
        const auto response = client.Read();
        if (response && response->body == target + "|") ++correct;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(correct, kClients * kRequests);
  const Counts counts = server->counts();
  EXPECT_EQ(counts.responses[2], static_cast<uint64_t>(kClients * kRequests));
  EXPECT_EQ(counts.accepted, static_cast<uint64_t>(kClients));
}

TEST_F(DrainAndLoadTest, SendsEachResponseToItsClientWhenOtherThreadsRespondAndClientsReset) {
  std::vector<std::thread> pool;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<Request, Responder>> queue;
  bool over = false;
  auto started = Server::Start({.threads = 2}, [&](Request request, Responder responder) {
    const std::lock_guard lock(mutex);
    queue.emplace_back(std::move(request), std::move(responder));
    changed.notify_one();
  });
  ASSERT_TRUE(started);
  server = *std::move(started);
  for (int i = 0; i < 2; ++i) {
    pool.emplace_back([&] {
      for (std::unique_lock lock(mutex);;) {
        changed.wait(lock, [&] { return over || !queue.empty(); });
        if (queue.empty()) return;
        auto [request, responder] = std::move(queue.back());
        queue.pop_back();
        lock.unlock();
        responder.Send(Ok(request.target));
        lock.lock();
      }
    });
  }
  std::vector<std::thread> clients;
  std::atomic<int> wrong = 0;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      for (int i = 0; i < 250; ++i) {
        Client client(server->port());
        const std::string target = "/" + std::to_string(c) + "/" + std::to_string(i);
        client.Send(Get(target));
        if (i % 2 == 0) {
          client.Reset();
        } else if (const auto response = client.Read(); !response || response->body != target) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  ASSERT_TRUE(EventuallyAllClosed());  // so no request reaches the queue any more
  {
    const std::lock_guard lock(mutex);
    over = true;
    changed.notify_all();
  }
  for (std::thread& worker : pool) worker.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(server->counts().in_flight, 0U);
  server.reset();  // before the objects that its handler refers to
}

}  // namespace
}  // namespace tocsin::http
