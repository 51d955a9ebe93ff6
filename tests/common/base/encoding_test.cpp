#include "common/base/encoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(EncodingTest, RoundTripsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(HexDecode(HexEncode(bytes)).value(), bytes);
  EXPECT_EQ(Base64Decode(Base64Encode(bytes)).value(), bytes);
  EXPECT_EQ(Base64UrlDecode(Base64UrlEncode(bytes)).value(), bytes);
}

struct Bad {
  const char* name;
  const char* text;
};

class Base64Test : public testing::TestWithParam<Bad> {};
TEST_P(Base64Test, RefusesANonCanonicalForm) { EXPECT_FALSE(Base64Decode(GetParam().text)); }
INSTANTIATE_TEST_SUITE_P(Rows, Base64Test,
                         testing::Values(Bad{"length", "QUJ"}, Bad{"stray_bits", "QUJ="},
                                         Bad{"inner_padding", "Q=JD"}, Bad{"url_alphabet", "-_-_"},
                                         Bad{"blank", "QU D"}, Bad{"padding_only", "===="}),
                         [](const auto& row) { return row.param.name; });

TEST(EncodingTest, RefusesHexOfOddLengthOrWithInvalidDigits) {
  EXPECT_FALSE(HexDecode("abc"));
  EXPECT_FALSE(HexDecode("zz"));
}

TEST(EncodingTest, DecodesAFormInOrderWithRepeatedNamesAndEmptyValues) {  // W1
  EXPECT_THAT(
      *FormDecode("b=1&a=&b=1+2&c=%C3%A9&d", 10),
      ElementsAre(Pair("b", "1"), Pair("a", ""), Pair("b", "1 2"), Pair("c", "é"), Pair("d", "")));
}

TEST(EncodingTest, RefusesAnAmbiguousForm) {  // P8
  for (const char* body : {"a=%", "a=%4", "a=%zz", "%=1"})
    EXPECT_FALSE(FormDecode(body, 10)) << body;
  EXPECT_EQ(FormDecode("a=1&b=2&c=3", 2).error().code, ErrorCode::kTooManyItems);
}

TEST(EncodingTest, DecodesAnEscapeAtTheEnd) {
  EXPECT_THAT(*FormDecode("a=%41", 10), ElementsAre(Pair("a", "A")));
}

TEST(EncodingTest, FormEncodingRoundTrips) {
  const FormFields fields{{"To", "+15145550123"}, {"Body", "é & = % 🔔\n"}, {"Empty", ""}};
  EXPECT_EQ(*FormDecode(FormEncode(fields), 10), fields);
}

}  // namespace
}  // namespace tocsin
