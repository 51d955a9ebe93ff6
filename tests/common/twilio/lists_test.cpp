// What Twilio's lists say of messages and calls to one person: R4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/twilio/call_list.h"
#include "common/twilio/list_pages.h"
#include "common/twilio/message_list.h"
#include "tests/common/twilio/script_server.h"

namespace tocsin::twilio {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

constexpr WallTime kPost = FromUnixMicros(1'772'323'199'000'000);  // 2026-02-28 23:59:59 UTC
constexpr const char* kDate = "Sat, 28 Feb 2026 23:59:59 +0000";
constexpr const char* kOurs = "+15017122661";

std::string Call(const std::string& sid, const std::string& date = kDate,
                 const std::string& from = kOurs, const std::string& direction = "outbound-api") {
  return R"({"sid":")" + sid + R"(","date_created":)" + (date.empty() ? "null" : '"' + date + '"') +
         R"(,"from":")" + from + R"(","direction":")" + direction + R"("})";
}

Step Page(const std::string& entries, const std::string& next = "",
          const std::string& member = "calls") {
  return {.answer =
              HttpAnswer(200, R"({")" + member + R"(":[)" + entries + R"(],"next_page_uri":)" +
                                  (next.empty() ? "null" : '"' + next + '"') + "}")};
}

TakenQuery Query() {
  return {.account = {.sid = "AC1", .auth_token = Secret("t"), .secondary_auth_token = Secret()},
          .sender = {.id = "main",
                     .number = kOurs,
                     .messaging_service_sid = {},
                     .account_sid = "AC1",
                     .channels = {},
                     .classes = {}},
          .to = Pii("+15145550123"),
          .from = kPost - std::chrono::seconds(5),
          .until = kPost + std::chrono::seconds(5)};
}

template <typename List>
Result<std::vector<TakenEntry>> Ask(const ScriptServer& server) {
  return List({.base_url = server.Url()}).ListTaken(Query(), SteadyTime::max());
}

std::vector<std::string> Sids(const Result<std::vector<TakenEntry>>& entries) {
  std::vector<std::string> sids;
  for (const TakenEntry& entry : *entries) sids.push_back(entry.sid);
  return sids;
}

TEST(CallListTest, AsksForThoseThatAreQueuedAndThenForThoseThatBegan) {
  const ScriptServer server({Page(Call("CA2", "")), Page(Call("CA2") + ',' + Call("CA1"))});
  const auto entries = Ask<CallList>(server);
  ASSERT_TRUE(entries) << entries.error().message;
  EXPECT_THAT(Sids(entries), ElementsAre("CA1", "CA2"));
  EXPECT_FALSE(entries->at(0).text);
  EXPECT_EQ(entries->at(1).created, kPost);  // it began between the two questions
  const auto requests = server.Requests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_THAT(requests[0], StartsWith("GET /2010-04-01/Accounts/AC1/Calls.json?To=%2B15145550123&"
                                      "Status=queued&PageSize=20 "));
  EXPECT_THAT(requests[1], HasSubstr("&StartTime%3E=2026-02-28&"));
}

TEST(CallListTest, CountsAQueuedCallWithoutADate) {
  const ScriptServer server({Page(Call("CA1", "")), Page("")});
  EXPECT_THAT(Sids(Ask<CallList>(server)), ElementsAre("CA1"));
}

TEST(CallListTest, LeavesOutOtherTimesSendersAndDirections) {
  const ScriptServer server(
      {Page(""), Page(Call("CA1", "Sun, 01 Mar 2026 00:00:05 +0000") + ',' +
                      Call("CA2", "Sat, 28 Feb 2026 23:59:53 +0000") + ',' +
                      Call("CA3", kDate, "+15017122662") + ',' +
                      Call("CA4", kDate, kOurs, "inbound") + ',' + Call("CA5"))});
  EXPECT_THAT(Sids(Ask<CallList>(server)), ElementsAre("CA5"));
}

TEST(CallListTest, ReadsAllPages) {
  const ScriptServer server({Page(""), Page(Call("CA1"), "/next?Page=1"), Page(Call("CA2"))});
  EXPECT_THAT(Sids(Ask<CallList>(server)), ElementsAre("CA1", "CA2"));
  EXPECT_THAT(server.Requests().back(), StartsWith("GET /next?Page=1 "));
}

struct Broken {
  const char* name;
  Step page;
};
class BrokenLists : public testing::TestWithParam<Broken> {};
TEST_P(BrokenLists, AreAnErrorAndNeverAShorterList) {
  const ScriptServer server({Page(Call("CA1", "")), GetParam().page});
  const auto entries = Ask<CallList>(server);
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code, ErrorCode::kTwilioApiError);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, BrokenLists,
    testing::Values(Broken{"NoJson", {.answer = HttpAnswer(200, "<html>")}},
                    Broken{"NoList", {.answer = HttpAnswer(200, "{}")}},
                    Broken{"ForeignSid", Page(Call("SM1"))},
                    Broken{"NoDate", Page(Call("CA1", "yesterday"))}, Broken{"NoObject", Page("7")},
                    Broken{"Refused", {.answer = HttpAnswer(503, "{}")}},
                    Broken{"AnotherHost", Page(Call("CA1"), "https://example.org/")},
                    Broken{"CutOff",
                           {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
                            .end = Step::End::kClose}}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(CallListTest, IsAnErrorWhenItNeverEnds) {
  std::vector<Step> pages{Page("")};
  for (int i = 0; i < kMaxListPages; ++i) pages.push_back(Page(Call("CA1"), "/next"));
  EXPECT_FALSE(Ask<CallList>(ScriptServer(pages)));
}

TEST(MessageListTest, StopsBehindThePageThatIsTooOld) {
  const std::string old = R"({"sid":"SM1","date_created":"Sat, 28 Feb 2026 20:00:00 +0000"})";
  const std::string wanted = R"({"sid":"SM2","direction":"outbound-api","body":"hi","from":")" +
                             std::string(kOurs) + R"(","date_created":")" + kDate + R"("})";
  const ScriptServer server({Page(wanted, "/next", "messages"), Page(old, "/never", "messages")});
  const auto entries = Ask<MessageList>(server);
  ASSERT_THAT(Sids(entries), ElementsAre("SM2"));
  EXPECT_EQ(entries->at(0).text->Reveal(), "hi");
  EXPECT_THAT(server.Requests(), SizeIs(2));
}

}  // namespace
}  // namespace tocsin::twilio
