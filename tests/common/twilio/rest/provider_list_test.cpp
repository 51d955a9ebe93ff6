// Twilio's lists of messages and calls to one phone number: R4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/async/sync_wait.h"
#include "common/twilio/rest/list_pages.h"
#include "common/twilio/rest/provider_list.h"
#include "tests/common/twilio/rest/scripted_server.h"

namespace tocsin::twilio {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

constexpr WallTime kPostTime = FromUnixMicros(1'772'323'199'000'000);  // 2026-02-28 23:59:59 UTC
constexpr const char* kDate = "Sat, 28 Feb 2026 23:59:59 +0000";
constexpr const char* kOurNumber = "+15017122661";

std::string Call(const std::string& sid, const std::string& date = kDate,
                 const std::string& from = kOurNumber,
                 const std::string& direction = "outbound-api") {
  return R"({"sid":")" + sid + R"(","date_created":)" + (date.empty() ? "null" : '"' + date + '"') +
         R"(,"from":")" + from + R"(","direction":")" + direction + R"("})";
}

Step Page(const std::string& entries, const std::string& next = "",
          const std::string& member = "calls") {
  return {.response = HttpResponseText(200, R"({")" + member + R"(":[)" + entries +
                                                R"(],"next_page_uri":)" +
                                                (next.empty() ? "null" : '"' + next + '"') + "}")};
}

ProviderListQuery Query() {
  return {.account = {.sid = "AC1", .auth_token = Secret("t"), .secondary_auth_token = Secret()},
          .sender = {.id = "main",
                     .number = kOurNumber,
                     .messaging_service_sid = {},
                     .account_sid = "AC1",
                     .channels = {},
                     .priorities = {}},
          .to = Pii("+15145550123"),
          .from = kPostTime - std::chrono::seconds(5),
          .until = kPostTime + std::chrono::seconds(5)};
}

template <typename List>
Result<std::vector<ProviderListEntry>> ListFrom(const ScriptedServer& server) {
  EventLoop loop;
  List list(loop, {.base_url = server.Url()});
  const ProviderListQuery query = Query();
  return SyncWait(loop, list.List(query, SteadyTime::max()));
}

std::vector<std::string> Sids(const Result<std::vector<ProviderListEntry>>& entries) {
  std::vector<std::string> sids;
  for (const ProviderListEntry& entry : *entries) sids.push_back(entry.sid);
  return sids;
}

TEST(CallListTest, ReadsQueuedCallsAndThenStartedCalls) {
  const ScriptedServer server({Page(Call("CA2", "")), Page(Call("CA2") + ',' + Call("CA1"))});
  const auto entries = ListFrom<CallList>(server);
  ASSERT_TRUE(entries) << entries.error().message;
  EXPECT_THAT(Sids(entries), ElementsAre("CA1", "CA2"));
  EXPECT_FALSE(entries->at(0).text);
  EXPECT_EQ(entries->at(1).created, kPostTime);  // it started between the two requests
  const auto requests = server.Requests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_THAT(requests[0], StartsWith("GET /2010-04-01/Accounts/AC1/Calls.json?To=%2B15145550123&"
                                      "Status=queued&PageSize=100 "));
  EXPECT_THAT(requests[1], HasSubstr("&StartTime%3E=2026-02-28&"));
}

TEST(CallListTest, IncludesAQueuedCallWithoutADate) {
  const ScriptedServer server({Page(Call("CA1", "")), Page("")});
  EXPECT_THAT(Sids(ListFrom<CallList>(server)), ElementsAre("CA1"));
}

TEST(CallListTest, ExcludesOtherTimesSendersAndDirections) {
  const ScriptedServer server(
      {Page(""), Page(Call("CA1", "Sun, 01 Mar 2026 00:00:05 +0000") + ',' +
                      Call("CA2", "Sat, 28 Feb 2026 23:59:53 +0000") + ',' +
                      Call("CA3", kDate, "+15017122662") + ',' +
                      Call("CA4", kDate, kOurNumber, "inbound") + ',' + Call("CA5"))});
  EXPECT_THAT(Sids(ListFrom<CallList>(server)), ElementsAre("CA5"));
}

TEST(CallListTest, ReadsAllPages) {
  const ScriptedServer server({Page(""), Page(Call("CA1"), "/next?Page=1"), Page(Call("CA2"))});
  EXPECT_THAT(Sids(ListFrom<CallList>(server)), ElementsAre("CA1", "CA2"));
  EXPECT_THAT(server.Requests().back(), StartsWith("GET /next?Page=1 "));
}

struct InvalidPage {
  const char* name;
  Step page;
};
class InvalidLists : public testing::TestWithParam<InvalidPage> {};
TEST_P(InvalidLists, AreAnErrorAndNeverAPartialList) {
  const ScriptedServer server({Page(Call("CA1", "")), GetParam().page});
  const auto entries = ListFrom<CallList>(server);
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code, ErrorCode::kTwilioApiError);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, InvalidLists,
    testing::Values(InvalidPage{"NoJson", {.response = HttpResponseText(200, "<html>")}},
                    InvalidPage{"NoList", {.response = HttpResponseText(200, "{}")}},
                    InvalidPage{"MessageSid", Page(Call("SM1"))},
                    InvalidPage{"NoDate", Page(Call("CA1", "yesterday"))},
                    InvalidPage{"NotAnObject", Page("7")},
                    InvalidPage{"Refused", {.response = HttpResponseText(503, "{}")}},
                    InvalidPage{"AnotherHost", Page(Call("CA1"), "https://example.org/")},
                    InvalidPage{"Truncated",
                                {.response = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
                                 .end = Step::End::kClose}}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(CallListTest, IsAnErrorBeyondTheMaximumOfPages) {
  std::vector<Step> pages{Page("")};
  for (int i = 0; i < kMaxListPages; ++i) pages.push_back(Page(Call("CA1"), "/next"));
  EXPECT_FALSE(ListFrom<CallList>(ScriptedServer(pages)));
}

std::string Message(const std::string& sid, const std::string& members,
                    const std::string& date = kDate) {
  return R"({"sid":")" + sid + R"(","date_created":")" + date + R"(",)" + members + "}";
}

std::string OurMessage(const std::string& sid, const std::string& date = kDate) {
  return Message(
      sid, R"("direction":"outbound-api","body":"hi","from":")" + std::string(kOurNumber) + '"',
      date);
}

TEST(MessageListTest, StopsAfterAPageThatIsADayTooOld) {
  const ScriptedServer server(
      {Page(OurMessage("SM3"), "/next", "messages"),
       Page(OurMessage("SM2", "Sat, 28 Feb 2026 20:00:00 +0000"), "/next", "messages"),
       Page(OurMessage("SM1", "Fri, 27 Feb 2026 20:00:00 +0000"), "/never", "messages")});
  const auto entries = ListFrom<MessageList>(server);
  ASSERT_THAT(Sids(entries), ElementsAre("SM3"));
  EXPECT_EQ(entries->at(0).text->Reveal(), "hi");
  EXPECT_THAT(server.Requests(), SizeIs(3));
}

TEST(MessageListTest, ReturnsTheMessagesOfAllSendersButNoneThatWasReceived) {  // R4
  const ScriptedServer server(
      {Page(Message("SM1", R"("direction":"inbound","body":"STOP")") + ',' + OurMessage("SM2") +
                ',' + Message("SM3", R"("direction":"outbound-api","body":"","from":null)") + ',' +
                Message("SM4", R"("direction":"outbound-reply","body":"hi")") + ',' +
                Message("SM5", R"("body":"hi")"),
            "", "messages")});
  const auto entries = ListFrom<MessageList>(server);
  ASSERT_THAT(Sids(entries), ElementsAre("SM2", "SM3", "SM4", "SM5"));
  for (const ProviderListEntry& entry : *entries) EXPECT_EQ(entry.by_sender, entry.sid == "SM2");
}

struct NewestMessages {
  const char* name;
  std::string entries;
  bool show;
};
class ControlOfAnAccount : public testing::TestWithParam<NewestMessages> {};
TEST_P(ControlOfAnAccount, RequiresWholeNumbersOfRecipients) {  // R4
  const ScriptedServer server({Page(GetParam().entries, "", "messages")});
  EventLoop loop;
  MessageList list(loop, {.base_url = server.Url()});
  const Account account = Query().account;
  const auto shows = SyncWait(loop, list.ShowsRecipients(account, SteadyTime::max()));
  ASSERT_TRUE(shows) << shows.error().message;
  EXPECT_EQ(*shows, GetParam().show);
  EXPECT_THAT(server.Requests()[0],
              StartsWith("GET /2010-04-01/Accounts/AC1/Messages.json?PageSize=20 "));
}
INSTANTIATE_TEST_SUITE_P(
    Rows, ControlOfAnAccount,
    testing::Values(NewestMessages{"Whole", Message("SM1", R"("to":"+15145550123")"), true},
                    NewestMessages{"Redacted",
                                   Message("SM1", R"("to":"+15145550123")") + ',' +
                                       Message("SM2", R"("to":"+1514555XXXX")"),
                                   false},
                    NewestMessages{"Removed", Message("SM1", R"("to":"")"), false},
                    NewestMessages{"OnlyReceived",
                                   Message("SM1", R"("to":"+15145550123","direction":"inbound")"),
                                   false},
                    NewestMessages{"NoMessages", "", false}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(MessageListTest, FailsTheControlOfAnAccountWithoutAValidList) {
  const ScriptedServer server({{.response = HttpResponseText(200, "{}")}});
  EventLoop loop;
  MessageList list(loop, {.base_url = server.Url()});
  const Account account = Query().account;
  EXPECT_FALSE(SyncWait(loop, list.ShowsRecipients(account, SteadyTime::max())));
}

}  // namespace
}  // namespace tocsin::twilio
