#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/common/http/server_fixture.h"

namespace tocsin::http {
namespace {

using std::chrono::milliseconds;

class SlowClientsTest : public ServerTest {};

// Deadlines. The tests use short ones and check the response of the server.

TEST_F(SlowClientsTest, ClosesANewConnectionThatSendsNothing) {
  Start({.threads = 1, .header_timeout = milliseconds(40)});
  Client client(server->port());
  EXPECT_TRUE(client.SeesClose());
}

TEST_F(SlowClientsTest, LimitsTheTimeForTheHeaderSectionOfASlowClient) {
  Start({.threads = 1, .header_timeout = milliseconds(60)});
  Client client(server->port());
  client.Send("GET /x HTTP/1.1\r\n");
  const auto send_part = [&] {
    return Rejected(Rejection::kRequestTimeout) == 0 && client.Send("X: y\r\n");
  };
  for (int i = 0; i < 60 && send_part(); ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(client.Read()->status, 408);
  EXPECT_TRUE(client.SeesClose());
}

TEST_F(SlowClientsTest, LimitsTheTimeForTheBodyOfASlowClient) {
  Start({.threads = 1, .body_timeout = milliseconds(60)});
  Client client(server->port());
  client.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  const auto send_part = [&] {
    return Rejected(Rejection::kRequestTimeout) == 0 && client.Send("x");
  };
  while (send_part()) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(client.Read()->status, 408);
  EXPECT_TRUE(client.SeesClose());
}

TEST_F(SlowClientsTest, ClosesAnIdleConnection) {
  Start({.threads = 1, .idle_timeout = milliseconds(40)});
  Client client(server->port());
  client.Send(Get("/x"));
  EXPECT_EQ(client.Read()->status, 200);
  EXPECT_TRUE(client.SeesClose());
}

TEST_F(SlowClientsTest, ResetsAClientThatDoesNotReadAndServesOthersMeanwhile) {
  Start({.threads = 1, .write_timeout = milliseconds(200)});
  Client stalled(server->port(), 4096);
  stalled.Send(Get("/hold"));
  test_handler.Await("/hold").Send(Ok(std::string(32 * 1024 * 1024, 'x')));
  Client other(server->port());
  other.Send(Get("/x"));
  EXPECT_EQ(other.Read()->body, "/x|");
  EXPECT_TRUE(Eventually([](const Counts& counts) { return counts.connections == 1; }));
  EXPECT_EQ(Rejected(Rejection::kWriteTimeout), 1U);
}

TEST_F(SlowClientsTest, WritesALargeResponseToASlowReader) {
  Start();
  Client client(server->port(), 4096);
  client.Send(Get("/hold"));
  const std::string large(8 * 1024 * 1024, 'x');
  test_handler.Await("/hold").Send(Ok(large));
  EXPECT_EQ(client.Read()->body, large);
}

TEST_F(SlowClientsTest, ClosesAfterAnErrorEvenIfTheClientDoesNot) {
  Start({.threads = 1, .linger_timeout = milliseconds(40)});
  Client client(server->port());
  client.Send("nonsense\r\n\r\n");
  EXPECT_EQ(client.Read()->status, 400);
  EXPECT_TRUE(EventuallyAllClosed());
}

}  // namespace
}  // namespace tocsin::http
