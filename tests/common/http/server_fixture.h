// A server on loopback whose handler responds at once, or on the command of the test.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "common/http/server.h"
#include "tests/common/http/client.h"

namespace tocsin::http {

inline constexpr std::chrono::seconds kTimeout{20};

inline std::string Get(const std::string& target, const std::string& headers = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n";
}

inline Response Ok(std::string body) {
  return {.content_type = "text/plain", .body = std::move(body)};
}

// Keeps the responders of requests for "/hold…" until the test responds; responds to all others at
// once with their target and body.
class TestHandler {
 public:
  void Handle(Request request, Responder responder) {
    if (!request.target.starts_with("/hold")) {
      return responder.Send(Ok(request.target + "|" + request.body));
    }
    const std::lock_guard lock(mutex_);
    held_.insert_or_assign(request.target, std::move(responder));
    changed_.notify_all();
  }

  // Blocks until the request was received.
  Responder Await(const std::string& target) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kTimeout, [&] { return held_.contains(target); })) {
      throw std::runtime_error("no request for " + target);
    }
    return std::move(held_.extract(target).mapped());
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Responder> held_;
};

class ServerTest : public testing::Test {
 protected:
  void Start(ServerOptions options = {.threads = 1}) {
    auto started = Server::Start(std::move(options), [this](Request request, Responder responder) {
      test_handler.Handle(std::move(request), std::move(responder));
    });
    ASSERT_TRUE(started) << started.error().message;
    server = *std::move(started);
  }

  bool Eventually(const std::function<bool(const Counts&)>& holds) const {
    const auto deadline = std::chrono::steady_clock::now() + kTimeout;
    while (!holds(server->counts())) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  bool EventuallyAllClosed() const {
    return Eventually([](const Counts& counts) { return counts.connections == 0; });
  }
  uint64_t Rejected(Rejection reason) const {
    return server->counts().rejected[static_cast<size_t>(reason)];
  }

  TestHandler test_handler;
  std::unique_ptr<Server> server;
};

}  // namespace tocsin::http
