#include "common/twilio/twiml/twiml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::twilio {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kGatherUrl =
    "https://alerts.example.org/twilio/voice/gather/T?round=1#rc=5&rp=all";

v1::VoiceOptions Voice(const char* language, const char* voice = "") {
  v1::VoiceOptions options;
  options.set_language_code(language);
  options.set_voice(voice);
  return options;
}

TEST(Twiml, SpeaksTheAlertAndGathersOneKey) {  // V1, V4, V8
  EXPECT_EQ(AlertTwiml(Voice("en-CA", "alice"), "Pump 3 has stopped", kGatherUrl),
            "<Response><Gather input=\"dtmf\" numDigits=\"1\" timeout=\"8\" method=\"POST\" "
            "action=\"https://alerts.example.org/twilio/voice/gather/T?round=1#rc=5&amp;rp=all\">"
            "<Say language=\"en-CA\" voice=\"alice\">Pump 3 has stopped</Say><Pause length=\"1\"/>"
            "<Say language=\"en-CA\" voice=\"alice\">Press 1 to acknowledge. Press 2 to hear this "
            "again. Press 3 to escalate. Press 9 to receive no more calls.</Say></Gather>"
            "<Redirect method=\"POST\">https://alerts.example.org/twilio/voice/gather/T?round=1"
            "#rc=5&amp;rp=all</Redirect></Response>");
}

TEST(Twiml, EscapesATextExactlyOnce) {  // V4
  const std::string twiml =
      AlertTwiml({}, "R&D says: \"</Say><Hangup/>\" isn't &amp; <b>", kGatherUrl);
  EXPECT_THAT(twiml, HasSubstr(">R&amp;D says: &quot;&lt;/Say&gt;&lt;Hangup/&gt;&quot; isn&apos;t "
                               "&amp;amp; &lt;b&gt;</Say>"));
  EXPECT_THAT(twiml, Not(HasSubstr("<Hangup/>")));
}

TEST(Twiml, ReplacesCharactersThatXmlForbids) {
  EXPECT_EQ(EscapeXml(std::string_view("a\x01\n\x7f"
                                       "b")),
            "a   b");
  EXPECT_EQ(EscapeXml("Größe 🔔"), "Größe 🔔");
  EXPECT_EQ(EscapeXml("a\xEF\xBF\xBE<b\xEF\xBF\xBF"), "a &lt;b ");  // U+FFFE, U+FFFF
  EXPECT_EQ(EscapeXml("a\xED\xA0\x80z"), "a z");                    // a surrogate
  EXPECT_EQ(EscapeXml("\xEF\xBF\xBD \xED\x9F\xBF"),
            "\xEF\xBF\xBD \xED\x9F\xBF");  // adjacent, allowed
}

struct Code {
  const char* name;
  const char* text;
  const char* spoken;
};
class SpokenCodes : public testing::TestWithParam<Code> {};
TEST_P(SpokenCodes, AreSpelledDigitByDigit) {  // V4
  EXPECT_EQ(SpellCodes(GetParam().text), GetParam().spoken);
}
INSTANTIATE_TEST_SUITE_P(Rows, SpokenCodes,
                         testing::Values(Code{"Code", "Code 471199.", "Code 4 7 1 1 9 9."},
                                         Code{"FourDigits", "1234", "1 2 3 4"},
                                         Code{"Number", "Floor 12, room 345", "Floor 12, room 345"},
                                         Code{"Parts", "12.3456-7", "12.3 4 5 6-7"},
                                         Code{"BesideLetters", "A9876B", "A9 8 7 6B"},
                                         Code{"None", "", ""}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Twiml, SpeaksTheReasonForARepetition) {  // V4
  EXPECT_THAT(AlertTwiml({}, "x", kGatherUrl, RepeatReason::kNoKey),
              HasSubstr("No key was pressed."));
  EXPECT_THAT(AlertTwiml({}, "x", kGatherUrl, RepeatReason::kUnknownKey),
              HasSubstr("no meaning here"));
  EXPECT_EQ(AlertTwiml({}, "x", kGatherUrl, RepeatReason::kRequested),
            AlertTwiml({}, "x", kGatherUrl));
}

TEST(Twiml, ConfirmsEachKeyWithItsOwnPhraseAndHangsUp) {  // V4
  EXPECT_EQ(ConfirmationTwiml({}, CallKey::kAcknowledge),
            "<Response><Say language=\"en-US\">Thank you. The alert is acknowledged. Good-bye."
            "</Say><Hangup/></Response>");
  EXPECT_THAT(ConfirmationTwiml({}, CallKey::kOptOut), HasSubstr("no more calls"));
  EXPECT_THAT(ConfirmationTwiml({}, CallKey::kEscalate), HasSubstr("escalate"));
  EXPECT_THAT(ConfirmationTwiml({}, CallKey::kNone), HasSubstr(">Good-bye.<"));
}

TEST(Twiml, SpeaksPhrasesInTheLanguageOfTheCallOrInEnglish) {  // V8
  EXPECT_THAT(ConfirmationTwiml(Voice("fr-CA", "Polly.Chantal"), CallKey::kAcknowledge),
              HasSubstr("<Say language=\"fr-CA\" voice=\"Polly.Chantal\">Merci."));
  // A voice of another language cannot speak English.
  EXPECT_THAT(ConfirmationTwiml(Voice("ja-JP", "Polly.Mizuki"), CallKey::kAcknowledge),
              HasSubstr("<Say language=\"en-US\">Thank you."));
}

}  // namespace
}  // namespace tocsin::twilio
