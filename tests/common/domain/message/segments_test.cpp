#include "common/domain/message/segments.h"

#include <gtest/gtest.h>

#include <string>

namespace tocsin {
namespace {

std::string Times(int count, const std::string& text) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

struct Row {
  const char* name;
  std::string text;
  SmsEncoding encoding;
  unsigned segments;
};

// Expected values: Twilio's segment calculator.
class SegmentsTest : public testing::TestWithParam<Row> {};
TEST_P(SegmentsTest, AreCountedAsByTwilio) {  // S2
  const SegmentInfo info = CountSegments(GetParam().text);
  EXPECT_EQ(info.encoding, GetParam().encoding);
  EXPECT_EQ(info.segments, GetParam().segments);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, SegmentsTest,
    testing::Values(Row{"empty", "", SmsEncoding::kGsm7, 0}, Row{"one", "a", SmsEncoding::kGsm7, 1},
                    Row{"gsm_160", Times(160, "a"), SmsEncoding::kGsm7, 1},
                    Row{"gsm_161", Times(161, "a"), SmsEncoding::kGsm7, 2},
                    Row{"gsm_306", Times(306, "a"), SmsEncoding::kGsm7, 2},
                    Row{"gsm_307", Times(307, "a"), SmsEncoding::kGsm7, 3},
                    Row{"euro_80", Times(80, "€"), SmsEncoding::kGsm7, 1},
                    Row{"euro_81", Times(81, "€"), SmsEncoding::kGsm7, 2},
                    Row{"euro_is_not_split", Times(152, "a") + "€" + Times(152, "a"),
                        SmsEncoding::kGsm7, 3},
                    Row{"emoji_35", Times(35, "🔔"), SmsEncoding::kUcs2, 1},
                    Row{"emoji_36", Times(36, "🔔"), SmsEncoding::kUcs2, 2},
                    Row{"emoji_66", Times(66, "🔔"), SmsEncoding::kUcs2, 2},
                    Row{"emoji_67", Times(67, "🔔"), SmsEncoding::kUcs2, 3},
                    Row{"cyrillic_134", Times(134, "я"), SmsEncoding::kUcs2, 2},
                    Row{"cyrillic_135", Times(135, "я"), SmsEncoding::kUcs2, 3},
                    Row{"capital_cedilla_is_gsm", "Ç", SmsEncoding::kGsm7, 1},
                    Row{"small_cedilla_is_not", "ç", SmsEncoding::kUcs2, 1},
                    Row{"backtick_is_not", "`", SmsEncoding::kUcs2, 1},
                    Row{"tab_is_not", "\t", SmsEncoding::kUcs2, 1},
                    Row{"line_break_is", "a\r\nb", SmsEncoding::kGsm7, 1}),
    [](const auto& row) { return row.param.name; });

TEST(SegmentsTest, CountsAnInvalidByteAsOneCharacter) {
  EXPECT_EQ(CountSegments("\xff\xfe").characters, 2u);
  EXPECT_FALSE(IsValidUtf8("\xff"));
  EXPECT_FALSE(IsValidUtf8("\xed\xa0\x80"));  // a surrogate
  EXPECT_FALSE(IsValidUtf8("\xc0\x80"));      // an overlong form
  EXPECT_TRUE(IsValidUtf8("é🔔"));
}

}  // namespace
}  // namespace tocsin
