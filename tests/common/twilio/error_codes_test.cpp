#include "common/twilio/error_codes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

namespace tocsin::twilio {
namespace {

constexpr auto kPermanentNumber = records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER;
constexpr auto kPermanentContent = records::v1::PROVIDER_ERROR_CLASS_PERMANENT_CONTENT;
constexpr auto kOptOut = records::v1::PROVIDER_ERROR_CLASS_OPT_OUT;
constexpr auto kTransientDelivery = records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY;
constexpr auto kRateLimitBefore = records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_BEFORE;
constexpr auto kRateLimitAfter = records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_AFTER;
constexpr auto kInDoubt = records::v1::PROVIDER_ERROR_CLASS_IN_DOUBT;
constexpr auto kSenderSetup = records::v1::PROVIDER_ERROR_CLASS_SENDER_SETUP;
constexpr auto kGeography = records::v1::PROVIDER_ERROR_CLASS_GEOGRAPHY;
constexpr auto kAccount = records::v1::PROVIDER_ERROR_CLASS_ACCOUNT;
constexpr auto kSchedule = records::v1::PROVIDER_ERROR_CLASS_SCHEDULE;
constexpr auto kUnknown = records::v1::PROVIDER_ERROR_CLASS_UNKNOWN;
using testing::IsEmpty;
using testing::Not;

struct Row {
  int code;
  records::v1::ProviderErrorClass expected;
};

class ErrorCodesTest : public testing::TestWithParam<Row> {};

// R2: retries follow the class of the error.
TEST_P(ErrorCodesTest, HasTheErrorClassOfTwiliosDictionary) {
  EXPECT_EQ(Describe(GetParam().code).error_class, GetParam().expected);
  EXPECT_EQ(Describe(GetParam().code).code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    Codes, ErrorCodesTest,
    testing::Values(Row{20500, kInDoubt}, Row{20503, kInDoubt}, Row{20429, kRateLimitBefore},
                    Row{21611, kRateLimitBefore}, Row{22005, kRateLimitBefore},
                    Row{30001, kRateLimitAfter}, Row{30022, kRateLimitAfter},
                    Row{30036, kRateLimitAfter}, Row{30003, kTransientDelivery},
                    Row{30008, kTransientDelivery}, Row{30450, kTransientDelivery},
                    Row{21211, kPermanentNumber}, Row{21614, kPermanentNumber},
                    Row{30005, kPermanentNumber}, Row{30007, kPermanentContent},
                    Row{21617, kPermanentContent}, Row{21610, kOptOut}, Row{21212, kSenderSetup},
                    Row{21606, kSenderSetup}, Row{30034, kSenderSetup}, Row{21408, kGeography},
                    Row{21215, kGeography}, Row{20003, kAccount}, Row{21608, kAccount},
                    Row{30002, kAccount}, Row{35114, kSchedule}, Row{90010, kAccount}),
    [](const auto& row) { return "Code" + std::to_string(row.param.code); });

TEST(ErrorCodes, ReturnsUnknownForACodeThatIsNotInTheTable) {
  for (const int code : {-1, 0, 1, 11199, 11201, 21613, 99999}) {
    EXPECT_EQ(Describe(code).error_class, kUnknown) << code;
    EXPECT_EQ(Describe(code).code, 0) << code;
    EXPECT_THAT(Describe(code).action, Not(IsEmpty())) << code;
  }
}

TEST(ErrorCodes, FindsEveryRowByItsCodeWithReasonAndAction) {
  for (const ErrorCodeInfo& row : AllErrorCodes()) {
    EXPECT_EQ(&Describe(row.code), &row);
    EXPECT_THAT(row.reason, Not(IsEmpty())) << row.code;
    EXPECT_THAT(row.action, Not(IsEmpty())) << row.code;
    EXPECT_NE(row.error_class, kUnknown) << row.code;
  }
}

TEST(ErrorCodes, MatchesTheListInTheTestData) {
  std::ifstream list(TOCSIN_ERROR_CODES);
  ASSERT_TRUE(list);
  std::string written;
  for (std::string line; std::getline(list, line);) {
    if (!line.starts_with('#')) written += line + '\n';
  }
  std::string table;
  for (const ErrorCodeInfo& row : AllErrorCodes()) {
    table += std::to_string(row.code) + ' ' + std::string(NameOf(row.error_class)) + '\n';
  }
  EXPECT_EQ(table, written);
}

TEST(ErrorCodes, NamesEachClassDifferently) {
  std::set<std::string_view> names;
  for (int i = 1; i <= records::v1::ProviderErrorClass_MAX; ++i)
    EXPECT_TRUE(names.insert(NameOf(static_cast<records::v1::ProviderErrorClass>(i))).second) << i;
}

}  // namespace
}  // namespace tocsin::twilio
