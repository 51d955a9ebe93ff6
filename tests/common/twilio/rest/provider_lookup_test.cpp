// Fetching and parsing Twilio's resources: S3, L3.
#include "common/twilio/rest/provider_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/async/sync_wait.h"
#include "tests/common/twilio/rest/scripted_server.h"

namespace tocsin::twilio {
namespace {

constexpr std::chrono::seconds kFetchTimeout{5};

using testing::HasSubstr;

constexpr const char* kSid = "SM0123456789abcdef0123456789abcdef";

std::string Message(const std::string& members) {
  return R"({"sid": "SM0123456789abcdef0123456789abcdef", "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000", )" +
         members + "}";
}

TEST(ParseResourceTest, ParsesStatusCodeSegmentCountAndPrice) {
  const auto record =
      ParseResource(Message(R"("status": "undelivered", "error_code": 30003, "num_segments": "3",
                 "price": "-0.02490", "price_unit": "USD")"),
                    kSid);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->provider_status, "undelivered");
  EXPECT_EQ(record->status, v1::ATTEMPT_STATUS_UNDELIVERED);
  EXPECT_EQ(record->error_class, records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY);
  EXPECT_EQ(record->code, 30003);
  EXPECT_EQ(record->segment_count, 3);
  ASSERT_TRUE(record->price);
  EXPECT_EQ(record->price->micros(), 24'900);
  EXPECT_EQ(record->price->currency_code(), "USD");
  EXPECT_EQ(ToUnixMicros(record->updated), 1'692'853'305'000'000);
}

TEST(ParseResourceTest, ParsesAnsweredByAndDurationOfACall) {
  const auto record = ParseResource(
      R"({"sid": "CA1", "status": "completed", "answered_by": "human", "duration": "17",
          "price": null, "price_unit": "USD", "date_updated": null})",
      "CA1");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->answered_by, v1::ANSWERED_BY_HUMAN);
  EXPECT_EQ(record->duration_seconds, 17);
  EXPECT_FALSE(record->price);
  EXPECT_EQ(record->updated, WallTime());
}

struct PriceCase {
  const char* name;
  const char* text;
  std::optional<std::int64_t> micros;
};
class PriceTest : public testing::TestWithParam<PriceCase> {};

TEST_P(PriceTest, IsExactOrAbsent) {
  const auto record =
      ParseResource(Message(std::string(R"("status": "sent", "price_unit": "USD", "price": ")") +
                            GetParam().text + "\""),
                    kSid);
  ASSERT_TRUE(record);
  ASSERT_EQ(record->price.has_value(), GetParam().micros.has_value());
  if (!record->price) return;
  EXPECT_EQ(record->price->micros(), *GetParam().micros);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, PriceTest,
    testing::Values(PriceCase{"Charge", "-0.00750", 7'500}, PriceCase{"Whole", "-12", 12'000'000},
                    PriceCase{"NoWhole", "-.5", 500'000}, PriceCase{"Zero", "0", 0},
                    PriceCase{"Refund", "0.01", -10'000},
                    PriceCase{"MoreDigitsThanMicros", "-0.0000019", 1},
                    PriceCase{"Empty", "", std::nullopt}, PriceCase{"Sign", "-", std::nullopt},
                    PriceCase{"Dot", ".", std::nullopt}, PriceCase{"Word", "-free", std::nullopt},
                    PriceCase{"Exponent", "-1e3", std::nullopt},
                    PriceCase{"TooLarge", "-99999999999999999", std::nullopt},
                    PriceCase{"TwoDots", "-0.0.1", std::nullopt}),
    [](const auto& row) { return row.param.name; });

TEST(ParseResourceTest, RefusesABodyThatIsNotTheRequestedResource) {
  for (const std::string& body :
       {std::string("<html>"), std::string("[]"), std::string("{}"), Message(R"("x": 1)"),
        std::string(R"({"sid": "SM9", "status": "sent"})")})
    EXPECT_FALSE(ParseResource(body, kSid)) << body;
}

class ResourceLookupTest : public testing::Test {
 protected:
  Result<std::optional<ProviderRecord>> Find(const Step& step, const std::string& sid = kSid) {
    ScriptedServer server({step});
    EventLoop loop;
    ResourceLookup lookup(loop, RestSettings{.base_url = server.Url()});
    const Account account{"AC1", Secret("token"), Secret()};
    const auto found =
        SyncWait(loop, lookup.Find(account, sid, std::chrono::steady_clock::now() + kFetchTimeout));
    requests = server.Requests();
    return found;
  }
  std::vector<std::string> requests;
};

TEST_F(ResourceLookupTest, FetchesTheMessage) {
  const auto found = Find({.response = HttpResponseText(200, Message(R"("status": "delivered")"))});
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->status, v1::ATTEMPT_STATUS_DELIVERED);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_THAT(requests[0], HasSubstr("GET /2010-04-01/Accounts/AC1/Messages/" + std::string(kSid) +
                                     ".json HTTP/1.1"));
}

TEST_F(ResourceLookupTest, FetchesTheCall) {
  EXPECT_FALSE(Find({.response = HttpResponseText(200, "{}")}, "CA1"));
  EXPECT_THAT(requests[0], HasSubstr("/Calls/CA1.json "));
}

TEST_F(ResourceLookupTest, ReturnsNothingForAnUnknownSid) {
  const auto found = Find({.response = HttpResponseText(404, R"({"code": 20404})")});
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
}

TEST_F(ResourceLookupTest, FailsWithoutAValidResponse) {
  EXPECT_FALSE(Find({.response = HttpResponseText(503, "busy")}));
  EXPECT_FALSE(Find({.response = {}, .end = Step::End::kReset}));
}

class SentListTest : public testing::Test {
 protected:
  static constexpr WallTime kFrom = FromUnixMicros(1'772'323'199'000'000);  // 2026-02-28 23:59:59
  static std::string PageText(const std::string& messages, const std::string& next = "null") {
    return R"({"messages": [)" + messages + R"(], "next_page_uri": )" + next + "}";
  }
  Result<ProviderPage> List(const std::string& body, const std::string& page = "",
                            int status = 200) {
    ScriptedServer server({{.response = HttpResponseText(status, body)}});
    EventLoop loop;
    ResourceLookup lookup(loop, RestSettings{.base_url = server.Url()});
    const Account account{"AC1", Secret("token"), Secret()};
    const SentWindow window{.from = kFrom, .until = kFrom + std::chrono::minutes(10)};
    const auto found = SyncWait(
        loop,
        lookup.ListSent(account, window, page, std::chrono::steady_clock::now() + kFetchTimeout));
    requests = server.Requests();
    return found;
  }
  std::vector<std::string> requests;
};

TEST_F(SentListTest, ReturnsTheRecordsOfAPageBySid) {  // S3
  const auto page =
      List(PageText(Message(R"("status": "delivered", "price": "-0.0075", "price_unit": "USD")") +
                        R"(, 7, {"sid": "SM1"}, {"status": "sent"})",
                    R"("/next?PageToken=PA1")"));
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->records.size(), 1u);
  const ProviderRecord& record = page->records.at(kSid);
  EXPECT_EQ(record.status, v1::ATTEMPT_STATUS_DELIVERED);
  EXPECT_EQ(record.price->micros(), 7'500);
  EXPECT_EQ(page->next, "/next?PageToken=PA1");
  EXPECT_THAT(requests[0],
              HasSubstr("GET /2010-04-01/Accounts/AC1/Messages.json?DateSent%3E="
                        "2026-02-28T23%3A59%3A59Z&DateSent%3C=2026-03-01T00%3A09%3A59Z&"
                        "PageSize=1000 "));
}

TEST_F(SentListTest, ContinuesAtTheNextPage) {
  const auto page = List(PageText(""), "/next?PageToken=PA1");
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->records.empty() && page->next.empty());
  EXPECT_THAT(requests[0], HasSubstr("GET /next?PageToken=PA1 "));
}

TEST_F(SentListTest, ReadsAPageOfTheLargestMessages) {
  std::string messages;
  for (int i = 0; i < kSentPageSize; ++i)
    messages += (i == 0 ? "" : ",") +
                Message(R"("status": "sent", "body": ")" + std::string(9'600, 'x') + '"');
  EXPECT_TRUE(List(PageText(messages)));
}

TEST_F(SentListTest, FailsOnAnInvalidPage) {
  EXPECT_FALSE(List("<html>"));
  EXPECT_FALSE(List("{}"));
  EXPECT_FALSE(List(PageText("", R"("https://example.org/")")));
  EXPECT_FALSE(List("{}", "", 503));
}

}  // namespace
}  // namespace tocsin::twilio
