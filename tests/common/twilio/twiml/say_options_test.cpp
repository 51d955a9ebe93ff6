#include "common/twilio/twiml/say_options.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace tocsin::twilio {
namespace {

v1::VoiceOptions Options(const std::string& language, const std::string& voice) {
  v1::VoiceOptions options;
  options.set_language_code(language);
  options.set_voice(voice);
  return options;
}

struct Row {
  const char* name;
  std::string language;
  std::string voice;
  const char* field;  // of the error; empty: accepted
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class SayOptionsTest : public testing::TestWithParam<Row> {};

TEST_P(SayOptionsTest, AcceptsTheLanguagesAndVoicesOfTwilio) {
  const auto checked = CheckSayOptions(Options(GetParam().language, GetParam().voice));
  EXPECT_EQ(checked ? "" : checked.error().field, GetParam().field);
  if (!checked) {
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Options, SayOptionsTest,
    testing::Values(Row{"Default", "", "", ""}, Row{"Language", "en-CA", "", ""},
                    Row{"LanguageOfThreeParts", "en-GB-WLS", "", ""},
                    Row{"ShortLanguage", "fr", "", ""},
                    Row{"UnknownRegion", "en-DE", "", "voice.language_code"},
                    Row{"UnknownLanguage", "tlh", "", "voice.language_code"},
                    Row{"LanguageName", "English", "", "voice.language_code"},
                    Row{"Markup", "en\"><Hangup/>", "", "voice.language_code"},
                    Row{"Man", "en", "man", ""}, Row{"Alice", "da-DK", "alice", ""},
                    Row{"Polly", "en-US", "Polly.Joanna-Neural", ""},
                    Row{"Google", "de-DE", "Google.de-DE-Chirp3-HD-Aoede", ""},
                    Row{"OnlyThePrefix", "", "Polly.", "voice.voice"},
                    Row{"UnknownProvider", "", "Acme.Joanna", "voice.voice"},
                    Row{"WithoutThePrefix", "", "Joanna", "voice.voice"},
                    Row{"MarkupInTheVoice", "", "Polly.\"/>", "voice.voice"},
                    Row{"TooLong", "", "Polly." + std::string(60, 'v'), "voice.voice"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(SayOptions, ReturnsTheLanguageInTwiliosSpelling) {
  v1::VoiceOptions options = Options("EN-ca", "Polly.Amy");
  options.set_machine_detection(true);
  const auto checked = CheckSayOptions(options);
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->language_code(), "en-CA");
  EXPECT_EQ(checked->voice(), "Polly.Amy");
  EXPECT_TRUE(checked->machine_detection());
}

}  // namespace
}  // namespace tocsin::twilio
