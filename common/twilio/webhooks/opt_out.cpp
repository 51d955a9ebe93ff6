#include "common/twilio/webhooks/opt_out.h"

#include <algorithm>
#include <array>
#include <string>

#include "common/twilio/webhooks/keyword.h"

namespace tocsin::twilio {
namespace {

using enum ConsentKeyword;

struct Word {
  std::string_view text;  // UTF-8; compared after normalization
  ConsentKeyword keyword;
};

// English: the default keywords of Twilio. Others: common words of the language.
constexpr auto kWords = std::to_array<Word>({
    {"STOP", kStop},
    {"STOPALL", kStop},
    {"STOP ALL", kStop},
    {"UNSUBSCRIBE", kStop},
    {"CANCEL", kStop},
    {"END", kStop},
    {"QUIT", kStop},
    {"REVOKE", kStop},
    {"OPTOUT", kStop},
    {"OPT OUT", kStop},
    {"OPT-OUT", kStop},
    {"START", kStart},
    {"YES", kStart},
    {"UNSTOP", kStart},
    {"HELP", kHelp},
    {"INFO", kHelp},
    // French
    {"ARRET", kStop},
    {"ARRÊT", kStop},
    {"ARRETER", kStop},
    {"ARRÊTER", kStop},
    {"ARRETEZ", kStop},
    {"ARRÊTEZ", kStop},
    {"DESABONNER", kStop},
    {"DÉSABONNER", kStop},
    {"ANNULER", kStop},
    {"DEBUT", kStart},
    {"DÉBUT", kStart},
    {"COMMENCER", kStart},
    {"REPRENDRE", kStart},
    {"AIDE", kHelp},
    // Spanish
    {"ALTO", kStop},
    {"PARAR", kStop},
    {"PARE", kStop},
    {"BAJA", kStop},
    {"CANCELAR", kStop},
    {"DETENER", kStop},
    {"ALTA", kStart},
    {"INICIAR", kStart},
    {"INICIO", kStart},
    {"COMENZAR", kStart},
    {"AYUDA", kHelp},
    // Portuguese
    {"SAIR", kStop},
    {"SAIA", kStop},
    {"REMOVER", kStop},
    {"COMEÇAR", kStart},
    {"COMECAR", kStart},
    {"VOLTAR", kStart},
    {"AJUDA", kHelp},
    // German
    {"STOPP", kStop},
    {"STOPPEN", kStop},
    {"ABMELDEN", kStop},
    {"ABBESTELLEN", kStop},
    {"ENDE", kStop},
    {"ANMELDEN", kStart},
    {"STARTEN", kStart},
    {"HILFE", kHelp},
    // Italian
    {"FERMA", kStop},
    {"FERMARE", kStop},
    {"ANNULLA", kStop},
    {"DISISCRIVI", kStop},
    {"INIZIA", kStart},
    {"INIZIO", kStart},
    {"AIUTO", kHelp},
    // Dutch
    {"AFMELDEN", kStop},
    {"AANMELDEN", kStart},
    {"HULP", kHelp},
    // Danish, Norwegian, Swedish, Finnish
    {"AFMELD", kStop},
    {"AVMELD", kStop},
    {"STOPPA", kStop},
    {"AVSLUTA", kStop},
    {"LOPETA", kStop},
    {"TILMELD", kStart},
    {"STARTA", kStart},
    {"ALOITA", kStart},
    {"HJÆLP", kHelp},
    {"HJELP", kHelp},
    {"HJÄLP", kHelp},
    {"APUA", kHelp},
    // Polish, Czech, Romanian, Turkish
    {"WYPISZ", kStop},
    {"REZYGNUJĘ", kStop},
    {"REZYGNUJE", kStop},
    {"ZRUŠIT", kStop},
    {"ZRUSIT", kStop},
    {"OPRIRE", kStop},
    {"DUR", kStop},
    {"IPTAL", kStop},
    {"İPTAL", kStop},
    {"POMOC", kHelp},
    {"AJUTOR", kHelp},
    {"YARDIM", kHelp},
    // Russian, Ukrainian, Greek
    {"СТОП", kStop},
    {"ОТПИСАТЬСЯ", kStop},
    {"ОТПИСКА", kStop},
    {"ОТМЕНА", kStop},
    {"ВІДПИСАТИСЯ", kStop},
    {"ΣΤΟΠ", kStop},
    {"ΔΙΑΚΟΠΗ", kStop},
    {"ΔΙΑΚΟΠΉ", kStop},
    {"СТАРТ", kStart},
    {"ΕΝΑΡΞΗ", kStart},
    {"ПОМОЩЬ", kHelp},
    {"ДОПОМОГА", kHelp},
    {"ΒΟΗΘΕΙΑ", kHelp},
    {"ΒΟΉΘΕΙΑ", kHelp},
    // Chinese, Japanese, Korean
    {"停止", kStop},
    {"退订", kStop},
    {"退訂", kStop},
    {"取消", kStop},
    {"ストップ", kStop},
    {"配信停止", kStop},
    {"중지", kStop},
    {"수신거부", kStop},
    {"开始", kStart},
    {"開始", kStart},
    {"시작", kStart},
    {"帮助", kHelp},
    {"幫助", kHelp},
    {"ヘルプ", kHelp},
    {"도움말", kHelp},
    // Arabic, Hebrew, Hindi, Vietnamese, Tagalog, Haitian Creole
    {"توقف", kStop},
    {"إيقاف", kStop},
    {"ايقاف", kStop},
    {"إلغاء", kStop},
    {"הסר", kStop},
    {"עצור", kStop},
    {"रोकें", kStop},
    {"DỪNG", kStop},
    {"HỦY", kStop},
    {"HINTO", kStop},
    {"SISPANN", kStop},
    {"RETE", kStop},
    {"ابدأ", kStart},
    {"התחל", kStart},
    {"मदद", kHelp},
    {"مساعدة", kHelp},
    {"עזרה", kHelp},
    {"TULONG", kHelp},
    {"ÈD", kHelp},
});

struct NormalizedWord {
  std::u32string text;
  ConsentKeyword keyword;
};

const std::array<NormalizedWord, kWords.size()>& NormalizedWords() {
  static const auto words = [] {
    std::array<NormalizedWord, kWords.size()> normalized;
    std::ranges::transform(kWords, normalized.begin(), [](const Word& word) {
      return NormalizedWord{NormalizeKeyword(word.text), word.keyword};
    });
    return normalized;
  }();
  return words;
}

}  // namespace

ConsentKeyword KeywordOf(std::string_view body, std::string_view opt_out_type) {
  if (opt_out_type == "STOP") return kStop;
  if (opt_out_type == "START") return kStart;
  if (opt_out_type == "HELP") return kHelp;
  const std::u32string normalized = NormalizeKeyword(body);
  if (normalized.empty()) return kNone;
  const auto found = std::ranges::find(NormalizedWords(), normalized, &NormalizedWord::text);
  return found == NormalizedWords().end() ? kNone : found->keyword;
}

}  // namespace tocsin::twilio
