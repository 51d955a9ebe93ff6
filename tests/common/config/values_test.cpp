#include "common/config/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::config {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

struct DurationCase {
  std::string_view text;
  std::int64_t millis;  // -1: refused
};

class DurationTest : public testing::TestWithParam<DurationCase> {};

TEST_P(DurationTest, IsAnIntegerWithAnOptionalUnit) {  // O4
  const auto value = ParseDuration(GetParam().text, milliseconds(0), kLongestDuration);
  EXPECT_EQ(value ? value->count() : -1, GetParam().millis) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(Texts, DurationTest,
                         testing::Values(DurationCase{"", -1}, DurationCase{"s", -1},
                                         DurationCase{"-5s", -1}, DurationCase{"+5", -1},
                                         DurationCase{"1.5s", -1}, DurationCase{"5 weeks", -1},
                                         DurationCase{"5S", -1}, DurationCase{"0x10", -1},
                                         DurationCase{"99999999999999999999", -1},
                                         DurationCase{"9223372036854775807d", -1},
                                         DurationCase{"0", 0}, DurationCase{"500", 500},
                                         DurationCase{"500ms", 500}, DurationCase{" 5s ", 5000},
                                         DurationCase{"5 s", 5000}, DurationCase{"2m", 120'000},
                                         DurationCase{"1h", 3'600'000},
                                         DurationCase{"7d", 604'800'000}));

TEST(ValuesTest, RefusesADurationOutOfRange) {
  EXPECT_FALSE(ParseDuration("99ms", milliseconds(100), milliseconds(200)));
  EXPECT_TRUE(ParseDuration("100ms", milliseconds(100), milliseconds(200)));
  EXPECT_TRUE(ParseDuration("200ms", milliseconds(100), milliseconds(200)));
  const auto late = ParseDuration("1h", milliseconds(100), milliseconds(2000));
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().fix, HasSubstr("from 100ms to 2s"));
}

TEST(ValuesTest, RefusesTextThatIsNotAnIntegerInRange) {
  for (const std::string_view text : {"", "x", "1x", "1.0", "0x1", "1e3", "9223372036854775808"})
    EXPECT_FALSE(ParseInteger(text, INT64_MIN, INT64_MAX)) << text;
  EXPECT_FALSE(ParseInteger("0", 1, 10));
  EXPECT_FALSE(ParseInteger("11", 1, 10));
  EXPECT_EQ(ParseInteger(" 10 ", 1, 10).value(), 10);
  EXPECT_EQ(ParseInteger("-3", -5, 5).value(), -3);
}

TEST(ValuesTest, AnAddressHasAHostAndAPort) {
  for (const std::string_view text : {"", "host", ":80", "host:", "host:x", "host:65536", "host:-1",
                                      "::1:80", "[]:80", "[host]:80", "ho st:80", "http://h:80"})
    EXPECT_FALSE(ParseAddress(text)) << text;
  EXPECT_EQ(ParseAddress("127.0.0.1:0").value().Text(), "127.0.0.1:0");
  EXPECT_EQ(ParseAddress("[::1]:8080").value().host, "::1");
  EXPECT_EQ(ParseAddress("[::1]:8080").value().Text(), "[::1]:8080");
}

TEST(ValuesTest, AUrlHasAnAllowedSchemeAndAHostAndNoPassword) {
  const std::vector<std::string> web{"http", "https"};
  for (const std::string_view text :
       {"", "host", "ftp://host", "http://", "http://:80", "http://host:0", "http://host:99999",
        "http://ho st", "http://host/a b", "http://host/\n", "http://host/#part", "HTTP//host"})
    EXPECT_FALSE(ParseUrl(text, web)) << text;
  const auto user = ParseUrl("https://user:hunter2@host/x", web);
  ASSERT_FALSE(user);
  EXPECT_THAT(user.error().reason + user.error().fix, Not(HasSubstr("hunter2")));  // P7
  EXPECT_EQ(ParseUrl("https://host.example:8443/base?x=1", web).value(),
            "https://host.example:8443/base?x=1");
  EXPECT_TRUE(ParseUrl("http://[::1]:80/", web));
}

TEST(ValuesTest, ASecretUrlMayHaveAPasswordAndNoHost) {
  const std::vector<std::string> schemes{"postgresql", "https"};
  EXPECT_TRUE(ParseSecretUrl("postgresql://u:p@127.0.0.1:5432/tocsin", schemes));
  EXPECT_TRUE(ParseSecretUrl("postgresql:///tocsin?host=/run/postgresql", schemes));
  EXPECT_FALSE(ParseSecretUrl("https:///path", schemes));
  EXPECT_FALSE(ParseSecretUrl("redis://u:p@host", schemes));
}

TEST(ValuesTest, TextIsOneLineOfLimitedLength) {
  EXPECT_FALSE(ParseText("a\nb"));
  EXPECT_FALSE(ParseText(std::string_view("a\0b", 3)));
  EXPECT_FALSE(ParseText(std::string(kValueLimit + 1, 'x')));
  EXPECT_TRUE(ParseText(std::string(kValueLimit, 'x')));
}

TEST(ValuesTest, ChoiceAcceptsOnlyTheAllowedValues) {
  const std::vector<std::string> modes{"disabled", "simulation", "live"};
  EXPECT_THAT(ParseChoice("Live", modes).error().fix, HasSubstr("disabled, simulation, live"));
  EXPECT_EQ(ParseChoice("live", modes).value(), "live");
}

}  // namespace
}  // namespace tocsin::config
