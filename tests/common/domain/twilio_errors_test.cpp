#include "common/domain/twilio_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

namespace tocsin {
namespace {

using enum TwilioErrorClass;
using testing::IsEmpty;
using testing::Not;

struct Row {
  int code;
  TwilioErrorClass expected;
};

class TwilioErrorsTest : public testing::TestWithParam<Row> {};

// R2: retries follow the class of the error.
TEST_P(TwilioErrorsTest, ACodeHasTheClassOfTwiliosDictionary) {
  EXPECT_EQ(Describe(GetParam().code).error_class, GetParam().expected);
  EXPECT_EQ(Describe(GetParam().code).code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    Codes, TwilioErrorsTest,
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

TEST(TwilioErrors, ACodeThatIsNotInTheTableIsUnknown) {
  for (const int code : {-1, 0, 1, 11199, 11201, 21613, 99999}) {
    EXPECT_EQ(Describe(code).error_class, kUnknown) << code;
    EXPECT_EQ(Describe(code).code, 0) << code;
    EXPECT_THAT(Describe(code).action, Not(IsEmpty())) << code;
  }
}

TEST(TwilioErrors, EveryRowIsFoundByItsCodeAndSaysWhatToDo) {
  for (const TwilioError& row : AllTwilioErrors()) {
    EXPECT_EQ(&Describe(row.code), &row);
    EXPECT_THAT(row.reason, Not(IsEmpty())) << row.code;
    EXPECT_THAT(row.action, Not(IsEmpty())) << row.code;
    EXPECT_NE(row.error_class, kUnknown) << row.code;
  }
}

TEST(TwilioErrors, TheTableIsTheListThatStandsBesideIt) {
  std::ifstream list(TOCSIN_ERROR_CODES);
  ASSERT_TRUE(list);
  std::string written;
  for (std::string line; std::getline(list, line);) {
    if (!line.starts_with('#')) written += line + '\n';
  }
  std::string table;
  for (const TwilioError& row : AllTwilioErrors()) {
    table += std::to_string(row.code) + ' ' + std::string(NameOf(row.error_class)) + '\n';
  }
  EXPECT_EQ(table, written);
}

TEST(TwilioErrors, EveryClassHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(kUnknown); ++i)
    EXPECT_TRUE(names.insert(NameOf(static_cast<TwilioErrorClass>(i))).second) << i;
}

}  // namespace
}  // namespace tocsin
