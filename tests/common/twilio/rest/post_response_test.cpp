#include "common/twilio/rest/post_response.h"

#include <gtest/gtest.h>

#include "common/twilio/rest/rest_client.h"

namespace tocsin::twilio {
namespace {

using namespace std::chrono_literals;

struct Row {
  const char* name;
  unsigned http_status;
  std::string body;
  records::v1::AttemptOutcome outcome;
  int code;
  const char* reason;
};

const std::string kSid = "SM0a0b0c0d0e0f00010203040506070809";

class PostResponseTest : public testing::TestWithParam<Row> {};

// R2, R4: what a response proves.
TEST_P(PostResponseTest, DeterminesTheOutcomeOfThePost) {
  const records::v1::AttemptResult result = AttemptResultOf(
      {.http_status = GetParam().http_status, .body = GetParam().body, .retry_after = {}});
  EXPECT_EQ(records::v1::AttemptOutcome_Name(result.outcome()),
            records::v1::AttemptOutcome_Name(GetParam().outcome));
  EXPECT_EQ(result.provider_code(), GetParam().code);
  EXPECT_EQ(result.reason(), GetParam().reason);
  EXPECT_EQ(result.http_status(), GetParam().http_status);
}

constexpr auto kAccepted = records::v1::ATTEMPT_OUTCOME_ACCEPTED;
constexpr auto kRefused = records::v1::ATTEMPT_OUTCOME_REFUSED;
constexpr auto kLimited = records::v1::ATTEMPT_OUTCOME_RATE_LIMITED;
constexpr auto kInDoubt = records::v1::ATTEMPT_OUTCOME_IN_DOUBT;

INSTANTIATE_TEST_SUITE_P(
    Responses, PostResponseTest,
    testing::Values(
        Row{"Created", 201, R"({"sid":")" + kSid + R"("})", kAccepted, 0, ""},
        Row{"Ok", 200, R"({"sid":")" + kSid + R"("})", kAccepted, 0, ""},
        Row{"CreatedNoJson", 201, "<html>", kInDoubt, 0, "IN_DOUBT"},
        Row{"CreatedEmpty", 201, "", kInDoubt, 0, "IN_DOUBT"},
        Row{"CreatedTruncated", 201, R"({"sid":")" + kSid, kInDoubt, 0, "IN_DOUBT"},
        Row{"CreatedArray", 201, "[]", kInDoubt, 0, "IN_DOUBT"},
        Row{"CreatedInvalidSid", 201, R"({"sid":7})", kInDoubt, 0, "IN_DOUBT"},
        Row{"CreatedNestedSid", 201, R"({"x":{"sid":")" + kSid + R"("}})", kInDoubt, 0, "IN_DOUBT"},
        Row{"CreatedSidInAnArray", 201, R"([{"sid":")" + kSid + R"("}])", kInDoubt, 0, "IN_DOUBT"},
        Row{"CreatedSidTwice", 201, R"({"sid":")" + kSid + R"(","sid":{"a":1}})", kInDoubt, 0,
            "IN_DOUBT"},
        Row{"CreatedGarbageAfter", 201, R"({"sid":")" + kSid + R"("}})", kInDoubt, 0, "IN_DOUBT"},
        Row{"CreatedAfterNested", 201,
            R"({"subresource_uris":{"sid":"x"},"a":[1],"sid":")" + kSid + R"("})", kAccepted, 0,
            ""},
        Row{"CreatedOtherSid", 201, R"({"sid":"AC1"})", kInDoubt, 0, "IN_DOUBT"},
        Row{"Redirected", 307, "", kInDoubt, 0, "IN_DOUBT"},
        Row{"InvalidNumber", 400, R"({"code":21211,"status":400})", kRefused, 21211,
            "TWILIO_API_ERROR"},
        Row{"OptedOut", 400, R"({"code":21610})", kRefused, 21610, "OPTED_OUT"},
        Row{"Credentials", 401, R"({"code":20003})", kRefused, 20003, "TWILIO_API_ERROR"},
        Row{"RefusedWithHtml", 403, "<html>", kRefused, 0, "TWILIO_API_ERROR"},
        Row{"InvalidCode", 400, R"({"code":"21211"})", kRefused, 0, "TWILIO_API_ERROR"},
        Row{"HugeCode", 400, R"({"code":99999999999})", kRefused, 0, "TWILIO_API_ERROR"},
        Row{"Timeout", 408, "", kInDoubt, 0, "IN_DOUBT"},
        Row{"TooMany", 429, R"({"code":20429})", kLimited, 20429, "RATE_LIMIT_EXCEEDED"},
        Row{"TooManyWithText", 429, "slow down", kLimited, 0, "RATE_LIMIT_EXCEEDED"},
        Row{"TooManyAs400", 400, R"({"code":20429})", kLimited, 20429, "RATE_LIMIT_EXCEEDED"},
        Row{"QueueFull", 400, R"({"code":21611})", kLimited, 21611, "RATE_LIMIT_EXCEEDED"},
        Row{"InternalError", 500, R"({"code":20500})", kInDoubt, 20500, "IN_DOUBT"},
        Row{"BadGateway", 502, "<html>", kInDoubt, 0, "IN_DOUBT"},
        Row{"Unavailable", 503, R"({"code":20503})", kInDoubt, 20503, "IN_DOUBT"},
        Row{"GatewayTimeout", 504, "", kInDoubt, 0, "IN_DOUBT"}),
    [](const auto& row) { return row.param.name; });

TEST(PostResponse, ContainsSidSegmentCountAndRetryAfter) {
  const records::v1::AttemptResult result =
      AttemptResultOf({.http_status = 201,
                       .body = R"({"sid":")" + kSid + R"(","num_segments":"3"})",
                       .retry_after = 2s});
  EXPECT_EQ(result.provider_sid(), kSid);
  EXPECT_EQ(result.segment_count(), 3U);
  EXPECT_EQ(result.retry_after_us(), 2'000'000);
}

TEST(PostResponse, ParsesDeepNestingSafely) {
  const records::v1::AttemptResult result = AttemptResultOf(
      {.http_status = 400, .body = std::string(kMaxResponseBody, '['), .retry_after = {}});
  EXPECT_EQ(result.outcome(), kRefused);
}

TEST(RetryAfter, ParsesSecondsAndDates) {
  constexpr WallTime now = FromUnixMicros(1'790'000'000'000'000);  // Mon, 21 Sep 2026 14:13:20 GMT
  EXPECT_EQ(ParseRetryAfter("7", now), Micros(7s));
  EXPECT_EQ(ParseRetryAfter("0", now), Micros(0));
  EXPECT_EQ(ParseRetryAfter("-5", now), Micros(0));
  EXPECT_EQ(ParseRetryAfter("86401", now), Micros(kMaxRetryAfter));
  EXPECT_EQ(ParseRetryAfter("99999999999999999999", now), Micros(kMaxRetryAfter));
  EXPECT_EQ(ParseRetryAfter("Mon, 21 Sep 2026 14:13:30 GMT", now), Micros(10s));
  EXPECT_EQ(ParseRetryAfter("Mon, 21 Sep 2020 14:13:30 GMT", now), Micros(0));
  EXPECT_EQ(ParseRetryAfter("", now), std::nullopt);
  EXPECT_EQ(ParseRetryAfter("soon", now), std::nullopt);
}

}  // namespace
}  // namespace tocsin::twilio
