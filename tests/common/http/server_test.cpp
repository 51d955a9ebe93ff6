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

TEST_F(ServerTest, RefusesToStartOnAnAddressThatIsNone) {
  const Handler handler = [](const Request&, const Responder&) {};
  for (const char* address : {"", "localhost", "127.0.0.1:http!", "256.0.0.1:0"}) {
    const auto started = Server::Start({.address = address}, handler);
    ASSERT_FALSE(started) << address;
    EXPECT_EQ(started.error().code, ErrorCode::kInvalidConfig);
  }
  EXPECT_FALSE(Server::Start({.threads = 0}, handler));
}

TEST_F(ServerTest, SaysWhichPortIsTaken) {
  Start();
  const std::string address = "127.0.0.1:" + std::to_string(server->port());
  const auto second = Server::Start({.address = address}, [](const Request&, const Responder&) {});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr(address));
}

TEST_F(ServerTest, AnswersPipelinedRequestsInTheirOrder) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold1") + Get("/2") + Get("/hold3") + Get("/4"));
  desk.Await("/hold1").Send(Ok("1"));
  EXPECT_EQ(client.Read()->body, "1");
  EXPECT_EQ(client.Read()->body, "/2|");
  desk.Await("/hold3").Send(Ok("3"));
  EXPECT_EQ(client.Read()->body, "3");
  EXPECT_EQ(client.Read()->body, "/4|");
}

TEST_F(ServerTest, StopsReadingFromAClientThatPipelinesWithoutEnd) {
  Start();
  const std::string next = Get("/next");
  std::string flood;
  while (flood.size() < 1024 * 1024) flood += next;
  Client client(server->port());
  client.Send(Get("/hold"));
  Responder held = desk.Await("/hold");
  std::thread sender([&] { client.Send(flood); });  // blocks: nobody takes a megabyte
  std::thread answerer([&] { held.Send(Ok("first")); });
  const size_t requests = flood.size() / next.size();
  EXPECT_EQ(client.Read()->body, "first");
  for (size_t i = 0; i < requests; ++i) ASSERT_EQ(client.Read()->body, "/next|");
  sender.join();
  answerer.join();
}

TEST_F(ServerTest, ClosesAfterTheAnswerWhenTheClientSaysSoOrSpeaksHttp10) {
  Start();
  for (const std::string& request :
       {Get("/x", "Connection: close\r\n"), std::string("GET /x HTTP/1.0\r\n\r\n"),
        std::string("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")}) {
    Client client(server->port());
    client.Send(request + Get("/never"));
    const auto reply = client.Read();
    ASSERT_TRUE(reply);
    EXPECT_THAT(reply->head, HasSubstr("Connection: close"));
    EXPECT_TRUE(client.SeesTheEnd());
  }
}

TEST_F(ServerTest, AnswersAClientThatHasFinishedSending) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold") + Get("/2"));
  client.FinishSending();
  desk.Await("/hold").Send(Ok("1"));
  EXPECT_EQ(client.Read()->body, "1");
  EXPECT_EQ(client.Read()->body, "/2|");
  EXPECT_TRUE(client.SeesTheEnd());
}

TEST_F(ServerTest, InvitesTheBodyOfAClientThatAsksFirst) {
  Start();
  Client client(server->port());
  client.Send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.Read(true)->status, 100);
  client.Send("abc");
  EXPECT_EQ(client.Read()->body, "/x|abc");
}

TEST_F(ServerTest, RefusesATooLargeBodyBeforeItIsSent) {
  Start({.threads = 1, .max_body = 10});
  Client client(server->port());
  client.Send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
  EXPECT_EQ(client.Read()->status, 413);
  EXPECT_TRUE(client.SeesTheEnd());
}

TEST_F(ServerTest, ShowsTheRefusalToAClientThatKeepsSending) {
  Start();
  Client client(server->port());
  client.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n");
  client.Send(std::string(256 * 1024, 'x'));
  EXPECT_EQ(client.Read()->status, 413);
}

TEST_F(ServerTest, TakesARequestThatComesByteByByte) {
  Start();
  Client client(server->port());
  const std::string request =
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (const char& byte : request) client.Send({&byte, 1});
  EXPECT_EQ(client.Read()->body, "/x|abc");
}

TEST_F(ServerTest, SendsNoBodyInAnswerToHead) {
  Start();
  Client client(server->port());
  client.Send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" + Get("/y"));
  EXPECT_THAT(client.Read(true)->head, HasSubstr("Content-Length: 3"));
  EXPECT_EQ(client.Read()->body, "/y|");
}

TEST_F(ServerTest, TellsTheHandlerWhoAsks) {
  auto started = Server::Start({.threads = 1}, [](const Request& request, Responder responder) {
    responder.Send(Ok(request.peer_address));
  });
  ASSERT_TRUE(started);
  Client client((*started)->port());
  client.Send(Get("/"));
  EXPECT_EQ(client.Read()->body, "127.0.0.1");
}

// Answers

TEST_F(ServerTest, Answers500ForAResponderThatIsDropped) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold") + Get("/x"));
  { const Responder dropped = desk.Await("/hold"); }
  EXPECT_EQ(client.Read()->status, 500);
  EXPECT_EQ(client.Read()->status, 200);
  EXPECT_EQ(server->counts().in_flight, 0U);
}

TEST_F(ServerTest, Answers500WhenTheHandlerThrows) {
  auto started = Server::Start({.threads = 1}, [](const Request&, const Responder&) {
    throw std::runtime_error("with a secret in its text");
  });
  ASSERT_TRUE(started);
  Client client((*started)->port());
  client.Send(Get("/"));
  const auto reply = client.Read();
  EXPECT_EQ(reply->status, 500);
  EXPECT_EQ(reply->body, "");
}

TEST_F(ServerTest, ResetsTheConnectionWhenTheAnswerSaysSo) {  // Q2
  Start();
  Client client(server->port());
  client.Send(Get("/hold") + Get("/x"));
  desk.Await("/hold").Send({.body = "not sent", .delivery = Delivery::kReset});
  EXPECT_TRUE(client.SeesTheEnd());
  EXPECT_TRUE(EventuallyNobodyIsConnected());
}

TEST_F(ServerTest, ClosesTheConnectionWithoutAnAnswerWhenTheAnswerSaysSo) {  // Q2
  Start();
  Client client(server->port());
  client.Send(Get("/hold"));
  desk.Await("/hold").Send({.body = "not sent", .delivery = Delivery::kClose});
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_TRUE(EventuallyNobodyIsConnected());
}

TEST_F(ServerTest, AnAnswerThatLeavesInPiecesIsWholeAndTheNextOneFollows) {  // Q2
  Start({.threads = 1, .write_timeout = milliseconds(40)});
  Client client(server->port());
  const std::string body(1000, 'x');
  client.Send(Get("/hold") + Get("/x"));
  desk.Await("/hold").Send(
      {.body = body, .delivery = Delivery::kSlow, .spread = milliseconds(200)});
  EXPECT_EQ(client.Read()->body, body);
  EXPECT_EQ(client.Read()->body, "/x|");
}

TEST_F(ServerTest, TellsWhetherAConnectionHasCarriedARequestBefore) {
  auto started = Server::Start({.threads = 1}, [](const Request& request, Responder responder) {
    responder.Send(Ok(request.reused ? "reused" : "fresh"));
  });
  ASSERT_TRUE(started);
  Client client((*started)->port());
  client.Send(Get("/") + Get("/"));
  EXPECT_EQ(client.Read()->body, "fresh");
  EXPECT_EQ(client.Read()->body, "reused");
}

TEST_F(ServerTest, CountsOnlyTheFirstAnswer) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold") + Get("/x"));
  Responder responder = desk.Await("/hold");
  responder.Send(Ok("first"));
  responder.Send(Ok("second"));
  EXPECT_EQ(client.Read()->body, "first");
  EXPECT_EQ(client.Read()->body, "/x|");
}

TEST_F(ServerTest, Answers503ForAnApplicationThatDoesNotAnswer) {
  Start({.threads = 1, .answer_timeout = milliseconds(40)});
  Client client(server->port());
  client.Send(Get("/hold"));
  Responder late = desk.Await("/hold");
  EXPECT_EQ(client.Read()->status, 503);
  EXPECT_TRUE(client.SeesTheEnd());
  late.Send(Ok("too late"));
  EXPECT_TRUE(Eventually([](const Counts& counts) { return counts.late_answers == 1; }));
}

TEST_F(ServerTest, NeverGivesAnAnswerToTheNextOwnerOfTheDescriptor) {
  Start();
  std::vector<Responder> orphans;
  for (int i = 0; i < 5; ++i) {
    Client gone(server->port());
    gone.Send(Get("/hold"));
    orphans.push_back(desk.Await("/hold"));
    gone.Reset();
    ASSERT_TRUE(EventuallyNobodyIsConnected());
    // The kernel hands out the lowest free number: this one has the descriptor of the one that is
    // gone.
    Client heir(server->port());
    heir.Send(Get("/hold/mine"));
    Responder mine = desk.Await("/hold/mine");
    std::thread([&] { orphans.back().Send(Ok("not yours")); }).join();
    std::thread([&] { mine.Send(Ok("yours")); }).join();
    EXPECT_EQ(heir.Read()->body, "yours");
    heir.Reset();
    ASSERT_TRUE(EventuallyNobodyIsConnected());
  }
  EXPECT_EQ(server->counts().late_answers, 5U);
  EXPECT_EQ(server->counts().in_flight, 0U);
}

TEST_F(ServerTest, LetsAResponderOutliveTheServer) {
  Start();
  Client client(server->port());
  client.Send(Get("/hold/1") + Get("/hold/2"));
  Responder answered = desk.Await("/hold/1");
  server.reset();
  EXPECT_TRUE(client.SeesTheEnd());
  answered.Send(Ok("nobody hears this"));
}

// Bounds

TEST_F(ServerTest, TurnsAwayConnectionsBeyondTheLimitAndRecovers) {
  Start({.threads = 1, .max_connections = 2});
  Client first(server->port());
  Client second(server->port());
  for (Client* client : {&first, &second}) {
    client->Send(Get("/x"));
    EXPECT_EQ(client->Read()->status, 200);
  }
  Client third(server->port());
  EXPECT_EQ(third.Read()->status, 503);
  EXPECT_TRUE(third.SeesTheEnd());
  EXPECT_EQ(Rejected(Rejection::kTooManyClients), 1U);
  first.Reset();
  ASSERT_TRUE(Eventually([](const Counts& counts) { return counts.connections == 1; }));
  Client fourth(server->port());
  fourth.Send(Get("/x"));
  EXPECT_EQ(fourth.Read()->status, 200);
}

TEST_F(ServerTest, Answers503BeyondTheRequestsInFlightAndKeepsTheConnection) {
  Start({.threads = 1, .max_in_flight = 1});
  Client holder(server->port());
  holder.Send(Get("/hold"));
  Responder held = desk.Await("/hold");
  Client client(server->port());
  client.Send(Get("/x"));
  const auto busy = client.Read();
  EXPECT_EQ(busy->status, 503);
  EXPECT_THAT(busy->head, HasSubstr("Retry-After: 1"));
  held.Send(Ok("done"));
  EXPECT_EQ(holder.Read()->body, "done");
  client.Send(Get("/x"));
  EXPECT_EQ(client.Read()->status, 200);
}

}  // namespace
}  // namespace tocsin::http
