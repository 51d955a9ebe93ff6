#include "common/domain/message/phone.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

struct Good {
  const char* name;
  const char* text;
  const char* e164;
  const char* region_code;
};
class PhoneTest : public testing::TestWithParam<Good> {};
TEST_P(PhoneTest, AcceptsCommonNotations) {  // S1
  const auto phone = Phone::Parse(GetParam().text);
  ASSERT_TRUE(phone);
  EXPECT_EQ(phone->E164(), GetParam().e164);
  EXPECT_EQ(phone->RegionCode(), GetParam().region_code);
}
INSTANTIATE_TEST_SUITE_P(Rows, PhoneTest,
                         testing::Values(Good{"canada", "+1 (514) 555-0123", "+15145550123", "CA"},
                                         Good{"fictitious", "+15558675309", "+15558675309", "US"},
                                         Good{"germany", "+49.30.901820", "+4930901820", "DE"},
                                         Good{"magic", "+15005550006", "+15005550006", "US"},
                                         Good{"satellite", "+881612345678", "+881612345678",
                                              "001"}),
                         [](const auto& row) { return row.param.name; });

struct Bad {
  const char* name;
  const char* text;
};
class PhoneRefuses : public testing::TestWithParam<Bad> {};
TEST_P(PhoneRefuses, InvalidNumbersWithoutRepeatingADigit) {  // P3
  const auto phone = Phone::Parse(GetParam().text);
  ASSERT_FALSE(phone);
  EXPECT_EQ(phone.error().code, ErrorCode::kInvalidPhoneFormat);
  EXPECT_EQ(phone.error().field, "to");
  const std::string text = GetParam().text;
  EXPECT_TRUE(text.size() < 6 || phone.error().message.find(text) == std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, PhoneRefuses,
    testing::Values(Bad{"empty", ""}, Bad{"plus", "+"}, Bad{"national", "5145550123"},
                    Bad{"letters", "+1514CALLNOW"}, Bad{"too_short", "+15145"},
                    Bad{"too_long", "+15145550123456789"}, Bad{"two_plus", "++15145550123"},
                    Bad{"plus_inside", "+1514+5550123"}, Bad{"no_such_country", "+9995550123456"},
                    Bad{"extension", "+15145550123;ext=5"},
                    Bad{"full_width", "＋１５１４５５５０１２３"},
                    Bad{"blanks_without_end",
                        "+1                                                  5145550123"}),
    [](const auto& row) { return row.param.name; });

TEST(PhoneTest, ReturnsTheLastFourDigitsForPeople) {  // P2
  EXPECT_EQ(Phone::Parse("+15145550123")->LastFour(), "0123");
}

}  // namespace
}  // namespace tocsin
