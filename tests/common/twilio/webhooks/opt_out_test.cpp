#include "common/twilio/webhooks/opt_out.h"

#include <gtest/gtest.h>

#include <string>

namespace tocsin::twilio {
namespace {

using enum ConsentKeyword;

struct Row {
  const char* name;
  std::string body;
  ConsentKeyword keyword;
};

class OptOutTest : public testing::TestWithParam<Row> {};

// S4: many languages; ignores case and surrounding whitespace.
TEST_P(OptOutTest, RecognisesTheKeyword) {
  EXPECT_EQ(KeywordOf(GetParam().body, ""), GetParam().keyword);
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, OptOutTest,
    testing::Values(
        Row{"Stop", "STOP", kStop}, Row{"MixedCase", "sToP", kStop},
        Row{"Whitespace", " \r\n\t Stop \n", kStop}, Row{"FullStop", "Stop.", kStop},
        Row{"Quoted", "\"STOP\"", kStop}, Row{"NoBreakSpace", "\u00A0stop\u00A0", kStop},
        Row{"StopAll", "stopall", kStop}, Row{"Unsubscribe", "Unsubscribe", kStop},
        Row{"Cancel", "cancel", kStop}, Row{"End", "END", kStop}, Row{"Quit", "quit", kStop},
        Row{"Revoke", "revoke", kStop}, Row{"OptOut", "OptOut", kStop},
        Row{"Start", "start", kStart}, Row{"Yes", "Yes", kStart}, Row{"Unstop", "UNSTOP", kStart},
        Row{"Help", "help", kHelp}, Row{"Info", "INFO", kHelp}, Row{"French", "Arrêt", kStop},
        Row{"FrenchPlain", "arret", kStop}, Row{"FrenchUpper", "ARRÊT", kStop},
        Row{"FrenchDecomposed", "arre\u0302t", kStop}, Row{"SpanishAlto", "alto", kStop},
        Row{"SpanishParar", "Parar", kStop}, Row{"SpanishBaja", "BAJA", kStop},
        Row{"SpanishHelp", "ayuda", kHelp}, Row{"German", "stopp", kStop},
        Row{"GermanHelp", "Hilfe", kHelp}, Row{"PortugueseSair", "sair", kStop},
        Row{"PortugueseCancelar", "Cancelar", kStop}, Row{"PortugueseStart", "Começar", kStart},
        Row{"Swedish", "HJÄLP", kHelp}, Row{"Polish", "rezygnuję", kStop},
        Row{"Czech", "zrušit", kStop}, Row{"TurkishDotted", "İptal", kStop},
        Row{"Russian", "Стоп", kStop}, Row{"Ukrainian", "Відписатися", kStop},
        Row{"Greek", "Διακοπή", kStop}, Row{"Vietnamese", "dừng", kStop},
        Row{"Japanese", "停止。", kStop}, Row{"FullWidth", "\uFF33\uFF34\uFF2F\uFF30", kStop},
        Row{"Korean", "수신거부", kStop}, Row{"Arabic", "إيقاف", kStop},
        Row{"Hebrew", "הסר", kStop}, Row{"Empty", "", kNone}, Row{"WhitespaceOnly", " \n ", kNone},
        Row{"DotsOnly", "...", kNone}, Row{"Sentence", "please stop by", kNone},
        Row{"Prefix", "stopping", kNone}, Row{"TwoWords", "stop it", kNone},
        Row{"Digits", "1", kNone}, Row{"BrokenUtf8", "sto\xff", kNone},
        Row{"TruncatedUtf8", "arr\xc3", kNone}, Row{"Long", std::string(1600, 'S'), kNone},
        Row{"LongWhitespace", std::string(800, ' ') + "stop" + std::string(800, ' '), kStop}),
    [](const auto& row) { return row.param.name; });

TEST(OptOut, TheOptOutTypeDecidesBeforeTheText) {
  EXPECT_EQ(KeywordOf("anything", "STOP"), kStop);
  EXPECT_EQ(KeywordOf("stop", "START"), kStart);
  EXPECT_EQ(KeywordOf("stop", "HELP"), kHelp);
  EXPECT_EQ(KeywordOf("stop", "OTHER"), kStop);
}

}  // namespace
}  // namespace tocsin::twilio
