#include "common/telemetry/ops_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace tocsin::telemetry {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class OpsServerTest : public testing::Test {
 protected:
  http::Response Send(const std::string& method, const std::string& target) {
    http::Request request;
    request.method = method;
    request.target = target;
    return RespondToOps(request, "tocsin-test", metrics, readiness);
  }

  Metrics metrics{"tocsin-test"};
  Readiness readiness;
};

TEST_F(OpsServerTest, RefusesMethodsOtherThanGet) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get"}) {
    const http::Response response = Send(method, "/metrics");
    EXPECT_EQ(response.status, 405) << method;
    ASSERT_EQ(response.headers.size(), 1u);
    EXPECT_EQ(response.headers[0].name, "Allow");
  }
}

TEST_F(OpsServerTest, ReturnsNotFoundForOtherPaths) {
  for (const char* target :
       {"/", "/metrics/", "/Metrics", "/readyz/kafka", "metrics", "", "/%6detrics"})
    EXPECT_EQ(Send("GET", target).status, 404) << target;
}

TEST_F(OpsServerTest, LivenessDoesNotDependOnDependencies) {  // O2
  readiness.Declare("kafka");
  readiness.StartDraining();
  EXPECT_EQ(Send("GET", "/healthz").status, 200);
}

TEST_F(OpsServerTest, ReadinessIs503UntilEveryRequiredDependencyIsUp) {  // O2
  readiness.Declare("kafka");
  readiness.Declare("twilio", DependencyRole::kInformative);
  http::Response response = Send("GET", "/readyz");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(json::parse(response.body)["dependencies"][0]["ok"], false);
  EXPECT_EQ(Send("GET", "/health").status, 503);
  readiness.Set("kafka", true);
  response = Send("GET", "/readyz?verbose=1");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(json::parse(response.body)["ready"], true);
  response = Send("GET", "/health");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(json::parse(response.body)["status"], "degraded");
  EXPECT_EQ(json::parse(response.body)["dependencies"].size(), 2u);
}

// Sends one request on a new connection and reads until the server closes it.
std::string SendOverSocket(std::uint16_t port, const std::string& request) {
  const int end = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string response;
  if (::connect(end, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(end, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    char part[65536];
    for (ssize_t count = 0; (count = ::recv(end, part, sizeof part, 0)) > 0;)
      response.append(part, static_cast<size_t>(count));
  }
  ::close(end);
  return response;
}

TEST_F(OpsServerTest, RespondsOverASocket) {  // O1, O2
  const auto server =
      OpsServer::Start({.address = "127.0.0.1:0", .service = "tocsin-test"}, metrics, readiness);
  ASSERT_TRUE(server) << server.error().message;
  const std::string rest = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  EXPECT_THAT(SendOverSocket(server->port(), "GET /metrics" + rest),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("text/plain; version=0.0.4"),
                    HasSubstr("tocsin_build_info{"), HasSubstr("process_cpu_seconds_total")));
  for (const char* path : {"/metrics", "/healthz", "/readyz", "/health"}) {
    const std::string response = SendOverSocket(server->port(), "HEAD " + std::string(path) + rest);
    EXPECT_THAT(response, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Length: "))) << path;
    EXPECT_THAT(response, EndsWith("\r\n\r\n")) << "a body follows the headers of " << path;
  }
  EXPECT_THAT(SendOverSocket(server->port(), "GET /readyz" + rest), StartsWith("HTTP/1.1 200"));
}

TEST_F(OpsServerTest, RefusesAnInvalidAddress) {
  const auto server = OpsServer::Start({.address = "nowhere", .service = "x"}, metrics, readiness);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kInvalidConfig);
}

}  // namespace
}  // namespace tocsin::telemetry
