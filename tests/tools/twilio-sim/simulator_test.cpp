#include "tools/twilio-sim/simulator.h"

#include <curl/curl.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace tocsin::sim {
namespace {

constexpr const char* kAccount = "AC0123456789abcdef0123456789abcdef";
constexpr const char* kMessages =
    "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json";
constexpr const char* kForm = "To=%2B15145550123&From=%2B15017122661&Body=hello";

struct ClientResponse {
  CURLcode code = CURLE_OK;
  long status = 0;
  std::string body;
  std::string headers;

  nlohmann::json Json() const { return nlohmann::json::parse(body, nullptr, false); }
};

size_t Append(char* data, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

class SimulatorTest : public testing::Test {
 protected:
  SimulatorTest() : simulator(TheSettings()) {
    auto started = http::Server::Start(ServerOptionsFor("127.0.0.1:0", 2),
                                       [this](http::Request request, http::Responder responder) {
                                         simulator.Handle(std::move(request), std::move(responder));
                                       });
    server = *std::move(started);
  }

  static Settings TheSettings() {
    return {.accounts = {{.sid = kAccount, .auth_token = Secret("token")}}, .seed = 7};
  }

  ClientResponse Request(const std::string& method, const std::string& target,
                         const std::string& body = "",
                         const std::string& user = std::string(kAccount) + ":token") {
    ClientResponse response;
    const std::string url = "http://127.0.0.1:" + std::to_string(server->port()) + target;
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(),
                                                                   curl_easy_cleanup);
    curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
    curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(easy.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_USERPWD, user.c_str());
    if (method == "POST") curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, Append);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &response.body);
    curl_easy_setopt(easy.get(), CURLOPT_HEADERFUNCTION, Append);
    curl_easy_setopt(easy.get(), CURLOPT_HEADERDATA, &response.headers);
    response.code = curl_easy_perform(easy.get());
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &response.status);
    return response;
  }

  size_t Accepted() {
    const std::string lines = Request("GET", "/sim/messages").body;
    return static_cast<size_t>(std::count(lines.begin(), lines.end(), '\n'));
  }

  Simulator simulator;
  std::unique_ptr<http::Server> server;  // destroyed first
};

TEST_F(SimulatorTest, RefusesInvalidCredentialsWithTwiliosError) {  // Q2
  for (const char* user : {"", "x", "AC0123456789abcdef0123456789abcdef:wrong", "other:token"}) {
    const ClientResponse response = Request("POST", kMessages, kForm, user);
    EXPECT_EQ(response.status, 401) << user;
    EXPECT_EQ(response.Json()["code"], 20003);
    EXPECT_EQ(response.Json()["status"], 401);
  }
  EXPECT_EQ(Accepted(), 0U);
}

TEST_F(SimulatorTest, RefusesUnknownPathsAndMethods) {
  EXPECT_EQ(Request("PUT", kMessages).Json()["code"], 20004);
  for (const char* path : {"/", "/2010-04-01/Accounts/ACx/Messages.json", "/2010-04-01/x",
                           "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages",
                           "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Faxes.json"}) {
    const ClientResponse response = Request("GET", path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(response.Json()["code"], 20404) << path;
  }
}

TEST_F(SimulatorTest, RefusesAMalformedForm) {
  EXPECT_EQ(Request("POST", kMessages, "To=%zz").status, 400);
  EXPECT_EQ(Accepted(), 0U);
}

TEST_F(SimulatorTest, ResetsTheConnectionAndRecordsTheResult) {
  ASSERT_EQ(
      Request("POST", "/sim/faults", R"({"next":[{"kind":"reset_before"},{"kind":"reset_after"}]})")
          .status,
      200);
  EXPECT_EQ(Request("POST", kMessages, kForm).code, CURLE_RECV_ERROR);
  EXPECT_EQ(Accepted(), 0U);
  EXPECT_EQ(Request("POST", kMessages, kForm).code, CURLE_RECV_ERROR);
  EXPECT_EQ(Accepted(), 1U);
}

TEST_F(SimulatorTest, RefusesRequestsBeyondTheLimitInFlight) {
  ASSERT_EQ(
      Request("POST", "/sim/faults", R"({"create":{"latency_ms":300,"max_in_flight":1}})").status,
      200);
  std::vector<std::jthread> threads;
  std::array<long, 4> statuses = {};
  for (long& status : statuses) {
    threads.emplace_back([&] { status = Request("POST", kMessages, kForm).status; });
  }
  threads.clear();
  EXPECT_GE(std::count(statuses.begin(), statuses.end(), 201), 1);
  EXPECT_EQ(static_cast<size_t>(std::count(statuses.begin(), statuses.end(), 201)), Accepted());
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 201) +
                std::count(statuses.begin(), statuses.end(), 429),
            4);
}

TEST_F(SimulatorTest, CreatesAndFetchesAMessage) {
  const ClientResponse created = Request("POST", kMessages, kForm);
  ASSERT_EQ(created.status, 201);
  EXPECT_EQ(created.Json()["status"], "queued");
  EXPECT_THAT(created.headers, testing::HasSubstr("Twilio-Request-Id: RQ"));
  EXPECT_THAT(created.headers, testing::HasSubstr("Twilio-Concurrent-Requests: "));
  EXPECT_THAT(created.headers, testing::HasSubstr("Twilio-Request-Duration: "));
  const ClientResponse fetched = Request("GET", created.Json()["uri"]);
  EXPECT_EQ(fetched.status, 200);
  EXPECT_EQ(fetched.Json()["sid"], created.Json()["sid"]);
  const ClientResponse list = Request("GET", std::string(kMessages) + "?To=%2B15145550123");
  EXPECT_EQ(list.Json()["messages"].size(), 1U);
}

TEST_F(SimulatorTest, RefusesInvalidControlRequests) {
  EXPECT_EQ(Request("POST", "/sim/faults", "{").status, 400);
  EXPECT_EQ(Request("POST", "/sim/faults", "[]").status, 400);
  EXPECT_EQ(Request("POST", "/sim/reset", R"({"everything":true})").status, 400);
  EXPECT_EQ(Request("POST", "/sim/inbound", R"({"from":"x"})").status, 400);
  EXPECT_EQ(Request("GET", "/sim/nothing").status, 404);
  EXPECT_EQ(Request("POST", "/sim/services", R"({"sid":"MG1","numbers":[]})").status, 400);
}

}  // namespace
}  // namespace tocsin::sim
