// Twilio's resources, read: S3, L3.
#include "common/twilio/books.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/twilio/script_server.h"

namespace tocsin::twilio {
namespace {

using testing::HasSubstr;

constexpr const char* kSid = "SM0123456789abcdef0123456789abcdef";

std::string Message(const std::string& members) {
  return R"({"sid": "SM0123456789abcdef0123456789abcdef", "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000", )" +
         members + "}";
}

TEST(BooksTest, ReadsStatusCodeSegmentsAndPrice) {
  const auto books =
      ReadBooks(Message(R"("status": "undelivered", "error_code": 30003, "num_segments": "3",
                 "price": "-0.02490", "price_unit": "USD")"),
                kSid);
  ASSERT_TRUE(books);
  EXPECT_EQ(books->status, "undelivered");
  EXPECT_EQ(books->code, 30003);
  EXPECT_EQ(books->segments, 3u);
  ASSERT_TRUE(books->price);
  EXPECT_EQ(books->price->micros(), 24'900);
  EXPECT_EQ(books->price->currency(), "USD");
  EXPECT_EQ(ToUnixMicros(books->updated), 1'692'853'305'000'000);
}

TEST(BooksTest, ReadsWhoTookACallAndForHowLong) {
  const auto books = ReadBooks(
      R"({"sid": "CA1", "status": "completed", "answered_by": "human", "duration": "17",
          "price": null, "price_unit": "USD", "date_updated": null})",
      "CA1");
  ASSERT_TRUE(books);
  EXPECT_EQ(books->answered_by, "human");
  EXPECT_EQ(books->duration_seconds, 17);
  EXPECT_FALSE(books->price);
  EXPECT_EQ(books->updated, WallTime());
}

struct PriceCase {
  const char* name;
  const char* text;
  std::optional<std::int64_t> micros;
};
class BooksPriceTest : public testing::TestWithParam<PriceCase> {};

TEST_P(BooksPriceTest, IsExactOrNotThere) {
  const auto books =
      ReadBooks(Message(std::string(R"("status": "sent", "price_unit": "USD", "price": ")") +
                        GetParam().text + "\""),
                kSid);
  ASSERT_TRUE(books);
  ASSERT_EQ(books->price.has_value(), GetParam().micros.has_value());
  if (!books->price) return;
  EXPECT_EQ(books->price->micros(), *GetParam().micros);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BooksPriceTest,
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

TEST(BooksTest, RefusesWhatIsNotTheResourceThatWasAskedFor) {
  for (const std::string& body :
       {std::string("<html>"), std::string("[]"), std::string("{}"), Message(R"("x": 1)"),
        std::string(R"({"sid": "SM9", "status": "sent"})")})
    EXPECT_FALSE(ReadBooks(body, kSid)) << body;
}

class BooksFetchTest : public testing::Test {
 protected:
  Result<std::optional<BookEntry>> Find(const Step& step, const std::string& sid = kSid) {
    ScriptServer server({step});
    Books books(RestSettings{.base_url = server.Url()});
    const auto found = books.Find({"AC1", Secret("token"), Secret()}, sid,
                                  std::chrono::steady_clock::now() + kFetchLimit);
    requests = server.Requests();
    return found;
  }
  std::vector<std::string> requests;
};

TEST_F(BooksFetchTest, AsksForTheOneMessage) {
  const auto found = Find({.answer = HttpAnswer(200, Message(R"("status": "delivered")"))});
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->status, "delivered");
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_THAT(requests[0], HasSubstr("GET /2010-04-01/Accounts/AC1/Messages/" + std::string(kSid) +
                                     ".json HTTP/1.1"));
}

TEST_F(BooksFetchTest, AsksForTheOneCall) {
  EXPECT_FALSE(Find({.answer = HttpAnswer(200, "{}")}, "CA1"));
  EXPECT_THAT(requests[0], HasSubstr("/Calls/CA1.json "));
}

TEST_F(BooksFetchTest, SaysThatTwilioKnowsNoSuchSid) {
  const auto found = Find({.answer = HttpAnswer(404, R"({"code": 20404})")});
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
}

TEST_F(BooksFetchTest, FailsWhenTwilioDoesNotAnswer) {
  EXPECT_FALSE(Find({.answer = HttpAnswer(503, "busy")}));
  EXPECT_FALSE(Find({.answer = {}, .end = Step::End::kReset}));
}

}  // namespace
}  // namespace tocsin::twilio
