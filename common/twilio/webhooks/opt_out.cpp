#include "common/twilio/webhooks/opt_out.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

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

constexpr size_t kMaxWord = 64;  // bytes; a longer message is not a keyword

// One code point of well-formed UTF-8, or one byte of anything else.
char32_t ReadCodePoint(std::string_view& text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned first = byte(0);
  const size_t length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t point = length == 1 ? first : first & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) {
      text.remove_prefix(1);
      return first;
    }
    point = point << 6 | (byte(i) & 0x3FU);
  }
  text.remove_prefix(length);
  return point;
}

// Lower case in the scripts of the table (Unicode's simple folding in these ranges).
char32_t ToLower(char32_t c) {
  if (c >= 0xFF01 && c <= 0xFF5E) c -= 0xFEE0;  // full-width forms of Japanese keyboards
  if (c == 0x130 || c == 0x131) return 'i';     // Turkish
  if (c == 0x3C2) return 0x3C3;                 // final sigma
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if (c >= 0x100 && c <= 0x137) return c | 1;
  if (c >= 0x139 && c <= 0x148) return c + c % 2;
  if (c >= 0x14A && c <= 0x177) return c | 1;
  if (c == 0x179 || c == 0x17B || c == 0x17D) return c + 1;
  if (c == 0x386) return 0x3AC;
  if (c >= 0x388 && c <= 0x38A) return c + 37;
  if (c == 0x38C) return 0x3CC;
  if (c == 0x38E || c == 0x38F) return c + 63;
  if (c >= 0x391 && c <= 0x3A9) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x1E00 && c <= 0x1EFF) return c | 1;  // Vietnamese
  return c;
}

bool IsTrimmed(char32_t c) {
  return c <= ' ' || c == '.' || c == '!' || c == '"' || c == '\'' || c == 0xA0 || c == 0xAD ||
         (c >= 0x2000 && c <= 0x200F) || c == 0x2019 || c == 0x201C || c == 0x201D || c == 0x202F ||
         c == 0x2060 || c == 0x3000 || c == 0x3002 || c == 0xFEFF;
}

bool IsCombining(char32_t c) { return c >= 0x300 && c <= 0x36F; }

std::u32string Normalize(std::string_view text) {
  std::u32string normalized;
  while (!text.empty()) {
    const char32_t c = ToLower(ReadCodePoint(text));
    if (!IsCombining(c)) normalized += c;  // "e" with a combining mark is compared as "e"
  }
  while (!normalized.empty() && IsTrimmed(normalized.back())) normalized.pop_back();
  normalized.erase(normalized.begin(),
                   std::ranges::find_if_not(normalized, [](char32_t c) { return IsTrimmed(c); }));
  return normalized;
}

struct NormalizedWord {
  std::u32string text;
  ConsentKeyword keyword;
};

const std::array<NormalizedWord, kWords.size()>& NormalizedWords() {
  static const auto words = [] {
    std::array<NormalizedWord, kWords.size()> normalized;
    std::ranges::transform(kWords, normalized.begin(), [](const Word& word) {
      return NormalizedWord{Normalize(word.text), word.keyword};
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
  const std::string_view blanks = " \t\r\n";
  const size_t begin = body.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return kNone;
  body = body.substr(begin, body.find_last_not_of(blanks) - begin + 1);
  if (body.size() > kMaxWord) return kNone;
  const std::u32string normalized = Normalize(body);
  const auto found = std::ranges::find(NormalizedWords(), normalized, &NormalizedWord::text);
  return found == NormalizedWords().end() ? kNone : found->keyword;
}

}  // namespace tocsin::twilio
