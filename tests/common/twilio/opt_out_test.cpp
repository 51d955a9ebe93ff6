#include "common/twilio/opt_out.h"

#include <gtest/gtest.h>

#include <string>

namespace tocsin::twilio {
namespace {

using enum ConsentWish;

struct Row {
  const char* name;
  std::string body;
  ConsentWish wish;
};

class OptOutTest : public testing::TestWithParam<Row> {};

// S4: many languages, trimmed, case folded.
TEST_P(OptOutTest, ReadsTheWishOfAMessage) {
  EXPECT_EQ(WishOf(GetParam().body, ""), GetParam().wish);
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, OptOutTest,
    testing::Values(
        Row{"Stop", "STOP", kStop}, Row{"MixedCase", "sToP", kStop},
        Row{"Blanks", " \r\n\t Stop \n", kStop}, Row{"FullStop", "Stop.", kStop},
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
        Row{"Hebrew", "הסר", kStop}, Row{"Empty", "", kNone}, Row{"BlankOnly", " \n ", kNone},
        Row{"DotsOnly", "...", kNone}, Row{"Sentence", "please stop by", kNone},
        Row{"Prefix", "stopping", kNone}, Row{"TwoWords", "stop it", kNone},
        Row{"Digits", "1", kNone}, Row{"BrokenUtf8", "sto\xff", kNone},
        Row{"CutUtf8", "arr\xc3", kNone}, Row{"Long", std::string(1600, 'S'), kNone},
        Row{"LongButBlank", std::string(800, ' ') + "stop" + std::string(800, ' '), kStop}),
    [](const auto& row) { return row.param.name; });

TEST(OptOut, TwiliosVerdictOutranksTheText) {
  EXPECT_EQ(WishOf("anything", "STOP"), kStop);
  EXPECT_EQ(WishOf("stop", "START"), kStart);
  EXPECT_EQ(WishOf("stop", "HELP"), kHelp);
  EXPECT_EQ(WishOf("stop", "OTHER"), kStop);
}

}  // namespace
}  // namespace tocsin::twilio
