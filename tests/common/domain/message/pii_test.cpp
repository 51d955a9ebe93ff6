#include "common/domain/message/pii.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace tocsin {
namespace {

const std::vector<std::string> kRegions{"CA", "DE", "GB", "IT"};

struct Row {
  const char* name;
  const char* text;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

std::string NameOfRow(const testing::TestParamInfo<Row>& row) { return row.param.name; }

class PhoneNumberText : public testing::TestWithParam<Row> {};
TEST_P(PhoneNumberText, IsFound) {
  EXPECT_EQ(FindPii(GetParam().text, kRegions), PiiKind::kPhoneNumber);
}
INSTANTIATE_TEST_SUITE_P(
    Each, PhoneNumberText,
    testing::Values(Row{"E164", "+15145550123"}, Row{"Punctuated", "+1 (514) 555-0123"},
                    Row{"InAUri", "tel:+4930123456"},
                    Row{"InASentence", "call +44 20 7946 0958, floor 3"},
                    Row{"BeforeAWord", "+15145550123 has a new owner"},
                    Row{"AfterAnEqualsSign", "to=+393331234567"}, Row{"Short", "+4930123"},
                    Row{"NanpNational", "5145550123"}, Row{"NanpPunctuated", " (514) 555-0123 "},
                    Row{"NanpWithTheCountryCode", "15145550123"},
                    Row{"GermanWithTheTrunkPrefix", "030 12345678"},
                    Row{"GermanWithTheCountryCode", "493012345678"}, Row{"British", "07911 123456"},
                    Row{"ItalianMobile", "333 1234567"}),
    NameOfRow);

class EmailText : public testing::TestWithParam<Row> {};
TEST_P(EmailText, IsFound) {
  EXPECT_EQ(FindPii(GetParam().text, kRegions), PiiKind::kEmailAddress);
}
INSTANTIATE_TEST_SUITE_P(Each, EmailText,
                         testing::Values(Row{"Plain", "ann@example.com"},
                                         Row{"InBrackets", "Ann <ann.lee+x@mail.example.org>"},
                                         Row{"InAUri", "mailto:ann@example.com"},
                                         Row{"WithAFullStop", "Ask ann@example.com."},
                                         Row{"NotAscii", "zoë@bücher.example"},
                                         Row{"AfterAnotherAt", "@ ann@example.co"}),
                         NameOfRow);

class CardText : public testing::TestWithParam<Row> {};
TEST_P(CardText, IsFound) { EXPECT_EQ(FindPii(GetParam().text, kRegions), PiiKind::kPaymentCard); }
INSTANTIATE_TEST_SUITE_P(Each, CardText,
                         testing::Values(Row{"Visa", "4111111111111111"},
                                         Row{"VisaOf13", "4222222222222"},
                                         Row{"Mastercard", "5555 5555 5555 4444"},
                                         Row{"MastercardOfTheNewRange", "2223003122003222"},
                                         Row{"AmericanExpress", "3782-822463-10005"},
                                         Row{"Discover", "6011111111111117"},
                                         Row{"Of19", "6304000000000000000"}),
                         NameOfRow);

class OrdinaryText : public testing::TestWithParam<Row> {};
TEST_P(OrdinaryText, IsNotFound) { EXPECT_EQ(FindPii(GetParam().text, kRegions), std::nullopt); }
INSTANTIATE_TEST_SUITE_P(
    Each, OrdinaryText,
    testing::Values(
        Row{"Empty", ""}, Row{"Word", "boiler-3"}, Row{"ShortId", "123456789"},
        Row{"IdOfTenDigits", "1234567890"}, Row{"Order", "order-5145550123-7"},
        Row{"Date", "2026-11-22"}, Row{"DateOfDigits", "20261122"},
        Row{"DateAndHour", "2026112210"}, Row{"DateAndTime", "2026-11-22T10:15:00Z"},
        Row{"DateAndOffset", "2026-11-22T10:15:00.000000+0000"}, Row{"Seconds", "1763806330"},
        Row{"Milliseconds", "1763806330123"}, Row{"MillisecondsWithACheckDigit", "1763806330120"},
        Row{"Microseconds", "1763806330123456"}, Row{"Snowflake", "1859123456789012345"},
        Row{"Uuid", "550e8400-e29b-41d4-a716-446655440000"},
        Row{"UuidOfDigits", "12345678-1234-4234-8234-123456789012"},
        Row{"Sha1", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"},
        Row{"Base64", "q1+1514555012345aZ/+19x5145550123=="}, Row{"Ipv4", "212.55.51.234"},
        Row{"Ipv4AndPort", "10.0.0.1:8080"}, Row{"Version", "v1.22.333+4567890"},
        Row{"Plus", "C++17"}, Row{"TimeZone", "UTC+02:00"}, Row{"PlusAndFewDigits", "+123"},
        Row{"CardWithAWrongCheckDigit", "4111111111111112"},
        Row{"TooLongForACard", "41111111111111111111"}, Row{"AtWithoutADomain", "ann@localhost"},
        Row{"OnlyAt", "@"}, Row{"Handle", "@ann"}, Row{"Package", "npm@10.2.1"},
        Row{"UserAtAddress", "root@10.0.0.1"}),
    NameOfRow);

TEST(FindPii, KnowsNationalNumbersOnlyOfTheGivenRegions) {
  EXPECT_EQ(FindPii("5145550123", {}), std::nullopt);
  EXPECT_EQ(FindPii("030 12345678", std::vector<std::string>{"CA"}), std::nullopt);
  EXPECT_EQ(FindPii("+15145550123", {}), PiiKind::kPhoneNumber);
}

}  // namespace
}  // namespace tocsin
