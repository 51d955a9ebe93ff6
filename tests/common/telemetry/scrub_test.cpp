#include "common/telemetry/scrub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace tocsin::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

class MaskedPhoneTest : public testing::TestWithParam<std::string> {};

TEST_P(MaskedPhoneTest, IsMaskedCompletely) {  // P3
  EXPECT_EQ(Scrub("to " + GetParam() + ", late"), "to [phone], late");
  EXPECT_EQ(Scrub("To=" + GetParam() + "&"), "To=[phone]&");
  EXPECT_EQ(Scrub(GetParam()), "[phone]");
}

INSTANTIATE_TEST_SUITE_P(
    Formats, MaskedPhoneTest,
    testing::Values(
        "+15017122661", "+1 501 712 2661", "+1-501-712-2661", "+1.501.712.2661",
        "+1 (501) 712-2661", "+1(501)7122661", "+1/501/7122661", "+1_501_712_2661",
        "+1  501  712  2661", "+1 - 501 - 712 - 2661", "+44 (0)20 7946 0958", "+491711234567",
        "+4915112345678", "+1234567", "+123456789012345", "+1234567890123456789",
        "+ 1 501 712 2661", "%2B15017122661", "%2b1%20501%207122661", "\\u002b15017122661",
        "&#43;15017122661", "&#x2B;15017122661",
        "\xef\xbc\x8b\xef\xbc\x91\xef\xbc\x95\xef\xbc\x90\xef\xbc\x91\xef\xbc\x97\xef\xbc\x91"
        "\xef\xbc\x92",
        "+1\xc2\xa0"
        "501\xc2\xa0"
        "712\xc2\xa0"
        "2661",
        "+1\xe2\x80\x93"
        "501\xe2\x80\x93"
        "7122661",
        "+1\n501\n7122661", "+1\t501\t7122661", "0015017122661", "00491711234567",
        "tel:15017122661", "501-712-2661", "501.712.2661", "(501) 712-2661", "(501)712-2661"));

TEST(ScrubTest, MasksEveryNumberOfAList) {
  EXPECT_EQ(Scrub("+15017122661,+15017122662;501-712-2661 501-712-2662"),
            "[phone],[phone];[phone] [phone]");
  EXPECT_EQ(Scrub("<Dial>+15017122661</Dial>"), "<Dial>[phone]</Dial>");
  EXPECT_EQ(Scrub("whatsapp:+15017122661"), "whatsapp:[phone]");
}

TEST(ScrubTest, MasksEmailAddresses) {
  EXPECT_EQ(Scrub("from ann@example.com to"), "from [email] to");
  EXPECT_EQ(Scrub("<ann.o'x+tag@mail.example.co.uk>"), "<[email]>");
  EXPECT_EQ(Scrub("email=ann%40example.com&x=1"), "email=[email]&x=1");
  EXPECT_EQ(Scrub("j\xc3\xb6rg@m\xc3\xbcller.example"), "[email]");
  EXPECT_EQ(Scrub("\"ann@example.com\",bob@example.org"), "\"[email]\",[email]");
  EXPECT_THAT(Scrub("+15017122661@sms.example.com"), Not(HasSubstr("5017")));
}

TEST(ScrubTest, MasksNumbersNextToArbitraryBytes) {
  EXPECT_EQ(Scrub("\xff\xfe+15017122661\xff"), "\xff\xfe[phone]\xff");
  EXPECT_EQ(Scrub(std::string("a\0+15017122661\0b", 16)), std::string("a\0[phone]\0b", 11));
}

class UnmaskedTest : public testing::TestWithParam<std::string> {};

TEST_P(UnmaskedTest, IsNotMasked) {  // P3: ids and figures stay useful
  EXPECT_EQ(Scrub(GetParam()), GetParam());
  EXPECT_EQ(Scrub("at " + GetParam() + " ok"), "at " + GetParam() + " ok");
  EXPECT_EQ(Scrub(GetParam() + " +15017122661"), GetParam() + " [phone]");
}

INSTANTIATE_TEST_SUITE_P(
    Texts, UnmaskedTest,
    testing::Values("0190f5fe-7c00-7a00-8000-001234567890", "00000000-0000-0000-0000-001234567890",
                    "12345678-1234-1234-1234-123456789012", "SM00112233445566778899001122334455",
                    "AC12345678901234567890123456789012", "CA0123456789abcdef0123456789abcdef",
                    "MG00000000000000000000000000000001", "2026-11-21T01:21:05.123456Z",
                    "2026-11-21T01:21:05+01:00", "2026-11-21T01:21:05+0100", "2026-11-21",
                    "01:21:05", "15017122661", "1763688065123456", "1234567", "1 234 567 890", "0",
                    "-12345678", "3.14159265358979", "127.0.0.1:9092", "192.168.100.200", "v0.1.0",
                    "1e+10", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                    "4bf92f3577b34da6a3ce929d0e0e4736", "tocsin.sms.high/3@12345", "user@localhost",
                    "+12345", "\xf0\x9f\x94\x94 bell", ""));

TEST(ScrubTest, AcceptsArbitraryBytes) {
  std::mt19937 random(20261121);  // a fixed seed: the same run every time
  const std::string letters = "+0123456789 -().@%2Bab\xef\xbc\x8b\xff\n";
  for (int run = 0; run < 2000; ++run) {
    std::string text;
    for (size_t i = random() % 200; i > 0; --i) text += letters[random() % letters.size()];
    const std::string once = Scrub(text);
    EXPECT_FALSE(once.find("+15017122661") != std::string::npos);
    Scrub(once);
  }
  EXPECT_THAT(Scrub(std::string(100'000, '(') + "+15017122661"), HasSubstr("[phone]"));
}

}  // namespace
}  // namespace tocsin::telemetry
