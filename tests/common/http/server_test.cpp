#include "common/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/common/http/server_fixture.h"

namespace tocsin::http {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST_F(ServerTest, RefusesAnInvalidAddress) {
  const Handler handler = [](const Request&, const Responder&) {};
  for (const char* address : {"", "localhost", "127.0.0.1:http!", "256.0.0.1:0"}) {
    const auto started = Server::Start({.address = address}, handler);
    ASSERT_FALSE(started) << address;
    EXPECT_EQ(started.error().code, ErrorCode::kInvalidConfig);
  }
  EXPECT_FALSE(Server::Start({.threads = 0}, handler));
}

TEST_F(ServerTest, NamesAnAddressThatIsInUse) {
  Start();
  const std::string address = "127.0.0.1:" + std::to_string(server->port());
  const auto second = Server::Start({.address = address}, [](const Request&, const Responder&) {});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr(address));
}

TEST_F(ServerTest, RespondsToPipelinedRequestsInOrder) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold1") + Get("/2") + Get("/hold3") + Get("/4"));
  test_handler.Await("/hold1").Send(Ok("1"));
  EXPECT_EQ(client.Read()->body, "1");
  EXPECT_EQ(client.Read()->body, "/2|");
  test_handler.Await("/hold3").Send(Ok("3"));
  EXPECT_EQ(client.Read()->body, "3");
  EXPECT_EQ(client.Read()->body, "/4|");
}

TEST_F(ServerTest, StopsReadingFromAClientThatPipelinesEndlessly) {
  Start();
  const std::string next = Get("/next");
  std::string flood;
  while (flood.size() < 1024 * 1024) flood += next;
  Client client(server->port());
  client.Send(Get("/hold"));
  Responder held = test_handler.Await("/hold");
  std::thread sender([&] { client.Send(flood); });  // blocks: the server does not buffer a megabyte
  std::thread responder([&] { held.Send(Ok("first")); });
  const size_t requests = flood.size() / next.size();
  EXPECT_EQ(client.Read()->body, "first");
  for (size_t i = 0; i < requests; ++i) ASSERT_EQ(client.Read()->body, "/next|");
  sender.join();
  responder.join();
}

TEST_F(ServerTest, ClosesAfterTheResponseForConnectionCloseAndHttp10) {
  Start();
  for (const std::string& request :
       {Get("/x", "Connection: close\r\n"), std::string("GET /x HTTP/1.0\r\n\r\n"),
        std::string("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")}) {
    Client client(server->port());
    client.Send(request + Get("/never"));
    const auto response = client.Read();
    ASSERT_TRUE(response);
    EXPECT_THAT(response->header, HasSubstr("Connection: close"));
    EXPECT_TRUE(client.SeesClose());
  }
}

TEST_F(ServerTest, RespondsToAClientThatShutDownItsSendingSide) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold") + Get("/2"));
  client.FinishSending();
  test_handler.Await("/hold").Send(Ok("1"));
  EXPECT_EQ(client.Read()->body, "1");
  EXPECT_EQ(client.Read()->body, "/2|");
  EXPECT_TRUE(client.SeesClose());
}

TEST_F(ServerTest, SendsContinueToAClientThatExpectsIt) {
  Start();
  Client client(server->port());
  client.Send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.Read(true)->status, 100);
  client.Send("abc");
  EXPECT_EQ(client.Read()->body, "/x|abc");
}

TEST_F(ServerTest, RejectsABodyThatIsTooLargeBeforeItIsSent) {
  Start({.threads = 1, .max_body = 10});
  Client client(server->port());
  client.Send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
  EXPECT_EQ(client.Read()->status, 413);
  EXPECT_TRUE(client.SeesClose());
}

TEST_F(ServerTest, DeliversTheErrorToAClientThatKeepsSending) {
  Start();
  Client client(server->port());
  client.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n");
  client.Send(std::string(256 * 1024, 'x'));
  EXPECT_EQ(client.Read()->status, 413);
}

TEST_F(ServerTest, AcceptsARequestSentByteByByte) {
  Start();
  Client client(server->port());
  const std::string request =
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (const char& byte : request) client.Send({&byte, 1});
  EXPECT_EQ(client.Read()->body, "/x|abc");
}

// RFC 9110, 9.3.2.
TEST_F(ServerTest, RespondsToHeadAsToGetWithoutTheBody) {
  auto started = Server::Start({.threads = 1}, [](const Request& request, Responder responder) {
    responder.Send(request.method == "GET" ? Ok(request.target) : Response{.status = 405});
  });
  ASSERT_TRUE(started);
  Client client((*started)->port());
  client.Send(Get("/x") + "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" + Get("/y"));
  const auto get = client.Read();
  const auto head = client.Read(/*no_body=*/true);
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->header, get->header);
  EXPECT_EQ(client.Read()->body, "/y");
}

// RFC 9112, 2.2: not the start of a request, so neither 400 nor 408 follows.
TEST_F(ServerTest, ClosesSilentlyAfterNothingButEmptyLines) {
  Start({.threads = 1, .idle_timeout = milliseconds(40)});
  for (const char* empty_lines : {"\r\n", "\r\n\r\n\r", "\r"}) {
    Client idle(server->port());
    idle.Send(Get("/x") + empty_lines);
    EXPECT_EQ(idle.Read()->body, "/x|");
    EXPECT_TRUE(idle.SeesClose()) << "idle";
    Client finished(server->port());
    finished.Send(empty_lines);
    finished.FinishSending();
    EXPECT_TRUE(finished.SeesClose()) << "finished";
  }
  EXPECT_EQ(Rejected(Rejection::kMalformed) + Rejected(Rejection::kRequestTimeout), 0U);
}

TEST_F(ServerTest, PassesThePeerAddressToTheHandler) {
  auto started = Server::Start({.threads = 1}, [](const Request& request, Responder responder) {
    responder.Send(Ok(request.peer_address));
  });
  ASSERT_TRUE(started);
  Client client((*started)->port());
  client.Send(Get("/"));
  EXPECT_EQ(client.Read()->body, "127.0.0.1");
}

// Responses

TEST_F(ServerTest, Sends500ForADestroyedResponder) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold") + Get("/x"));
  { const Responder destroyed = test_handler.Await("/hold"); }
  EXPECT_EQ(client.Read()->status, 500);
  EXPECT_EQ(client.Read()->status, 200);
  EXPECT_EQ(server->counts().in_flight, 0U);
}

TEST_F(ServerTest, Sends500WhenTheHandlerThrows) {
  auto started = Server::Start({.threads = 1}, [](const Request&, const Responder&) {
    throw std::runtime_error("contains a secret");
  });
  ASSERT_TRUE(started);
  Client client((*started)->port());
  client.Send(Get("/"));
  const auto response = client.Read();
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(response->body, "");
}

TEST_F(ServerTest, ResetsTheConnectionForDeliveryReset) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold") + Get("/x"));
  test_handler.Await("/hold").Send({.body = "not sent", .delivery = Delivery::kReset});
  EXPECT_TRUE(client.SeesClose());
  EXPECT_TRUE(EventuallyAllClosed());
}

TEST_F(ServerTest, ClosesTheConnectionForDeliveryClose) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold"));
  test_handler.Await("/hold").Send({.body = "not sent", .delivery = Delivery::kClose});
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_TRUE(EventuallyAllClosed());
}

TEST_F(ServerTest, SendsASlowResponseCompletelyBeforeTheNextOne) {
  Start({.threads = 1, .write_timeout = milliseconds(40)});
  Client client(server->port());
  const std::string body(1000, 'x');
  client.Send(Get("/hold") + Get("/x"));
  test_handler.Await("/hold").Send(
      {.body = body, .delivery = Delivery::kSlow, .send_duration = milliseconds(200)});
  EXPECT_EQ(client.Read()->body, body);
  EXPECT_EQ(client.Read()->body, "/x|");
}

TEST_F(ServerTest, MarksRequestsOnAReusedConnection) {
  auto started = Server::Start({.threads = 1}, [](const Request& request, Responder responder) {
    responder.Send(Ok(request.reused ? "reused" : "fresh"));
  });
  ASSERT_TRUE(started);
  Client client((*started)->port());
  client.Send(Get("/") + Get("/"));
  EXPECT_EQ(client.Read()->body, "fresh");
  EXPECT_EQ(client.Read()->body, "reused");
}

TEST_F(ServerTest, SendsOnlyTheFirstResponse) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold") + Get("/x"));
  Responder responder = test_handler.Await("/hold");
  responder.Send(Ok("first"));
  responder.Send(Ok("second"));
  EXPECT_EQ(client.Read()->body, "first");
  EXPECT_EQ(client.Read()->body, "/x|");
}

TEST_F(ServerTest, Sends503WhenTheHandlerDoesNotRespond) {
  Start({.threads = 1, .response_timeout = milliseconds(40)});
  Client client(server->port());
  client.Send(Get("/hold"));
  Responder late = test_handler.Await("/hold");
  EXPECT_EQ(client.Read()->status, 503);
  EXPECT_TRUE(client.SeesClose());
  late.Send(Ok("too late"));
  EXPECT_TRUE(Eventually([](const Counts& counts) { return counts.late_responses == 1; }));
}

TEST_F(ServerTest, NeverSendsAResponseToTheNextConnectionOnTheSameDescriptor) {
  Start();
  std::vector<Responder> late;
  for (int i = 0; i < 5; ++i) {
    Client gone(server->port());
    gone.Send(Get("/hold"));
    late.push_back(test_handler.Await("/hold"));
    gone.Reset();
    ASSERT_TRUE(EventuallyAllClosed());
    // The kernel assigns the lowest free number, so this connection gets the same descriptor.
    Client successor(server->port());
    successor.Send(Get("/hold/mine"));
    Responder mine = test_handler.Await("/hold/mine");
    std::thread([&] { late.back().Send(Ok("not yours")); }).join();
    std::thread([&] { mine.Send(Ok("yours")); }).join();
    EXPECT_EQ(successor.Read()->body, "yours");
    successor.Reset();
    ASSERT_TRUE(EventuallyAllClosed());
  }
  EXPECT_EQ(server->counts().late_responses, 5U);
  EXPECT_EQ(server->counts().in_flight, 0U);
}

TEST_F(ServerTest, AllowsUseOfAResponderAfterTheServerIsDestroyed) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold/1") + Get("/hold/2"));
  Responder remaining = test_handler.Await("/hold/1");
  server.reset();
  EXPECT_TRUE(client.SeesClose());
  remaining.Send(Ok("discarded"));
}

// Bounds

TEST_F(ServerTest, RejectsConnectionsBeyondTheLimitAndRecovers) {
  Start({.threads = 1, .max_connections = 2});
  Client first(server->port());
  Client second(server->port());
  for (Client* client : {&first, &second}) {
    client->Send(Get("/x"));
    EXPECT_EQ(client->Read()->status, 200);
  }
  Client third(server->port());
  EXPECT_EQ(third.Read()->status, 503);
  EXPECT_TRUE(third.SeesClose());
  EXPECT_EQ(Rejected(Rejection::kTooManyConnections), 1U);
  first.Reset();
  ASSERT_TRUE(Eventually([](const Counts& counts) { return counts.connections == 1; }));
  Client fourth(server->port());
  fourth.Send(Get("/x"));
  EXPECT_EQ(fourth.Read()->status, 200);
}

TEST_F(ServerTest, Sends503BeyondTheLimitOfRequestsInFlightAndKeepsTheConnection) {
  Start({.threads = 1, .max_in_flight = 1});
  Client holder(server->port());
  holder.Send(Get("/hold"));
  Responder held = test_handler.Await("/hold");
  Client client(server->port());
  client.Send(Get("/x"));
  const auto rejected = client.Read();
  EXPECT_EQ(rejected->status, 503);
  EXPECT_THAT(rejected->header, HasSubstr("Retry-After: 1"));
  held.Send(Ok("done"));
  EXPECT_EQ(holder.Read()->body, "done");
  client.Send(Get("/x"));
  EXPECT_EQ(client.Read()->status, 200);
}

}  // namespace
}  // namespace tocsin::http
