#include "common/twilio/webhooks/ack_reply.h"

#include <algorithm>
#include <array>
#include <map>

#include "common/twilio/webhooks/keyword.h"

namespace tocsin::twilio {
namespace {

constexpr size_t kCodeDigits = 4;

struct Word {
  std::string_view text;  // UTF-8; compared after normalization
  std::string_view language_code;
};

constexpr auto kAcknowledging = std::to_array<Word>({
    {"YES", "en"},       {"Y", "en"},           {"OK", "en"},         {"OKAY", "en"},
    {"ACK", "en"},       {"ACKNOWLEDGE", "en"}, {"CONFIRM", "en"},    {"OUI", "fr"},
    {"CONFIRMER", "fr"}, {"SÍ", "es"},          {"SI", "es"},         {"CONFIRMAR", "es"},
    {"SIM", "pt"},       {"JA", "de"},          {"BESTÄTIGEN", "de"}, {"CONFERMA", "it"},
    {"BEVESTIG", "nl"},  {"BEKRÆFT", "da"},     {"BEKREFT", "nb"},    {"BEKRÄFTA", "sv"},
    {"KYLLÄ", "fi"},     {"TAK", "pl"},         {"ANO", "cs"},        {"DA", "ro"},
    {"EVET", "tr"},      {"ДА", "ru"},          {"ТАК", "uk"},        {"ΝΑΙ", "el"},
    {"是", "zh"},        {"好", "zh"},          {"はい", "ja"},       {"네", "ko"},
    {"예", "ko"},        {"نعم", "ar"},         {"כן", "he"},         {"हाँ", "hi"},
    {"हां", "hi"},        {"VÂNG", "vi"},        {"OO", "tl"},         {"WI", "ht"},
});

// NO is also Spanish and Italian, NON also Haitian Creole, NEJ also Swedish.
constexpr auto kDeclining = std::to_array<Word>({
    {"NO", "en"},       {"N", "en"},      {"DECLINE", "en"}, {"NON", "fr"},    {"REFUSER", "fr"},
    {"RECHAZAR", "es"}, {"NÃO", "pt"},    {"NAO", "pt"},     {"NEIN", "de"},   {"ABLEHNEN", "de"},
    {"RIFIUTA", "it"},  {"NEE", "nl"},    {"NEJ", "da"},     {"NEI", "nb"},    {"EI", "fi"},
    {"NIE", "pl"},      {"NE", "cs"},     {"NU", "ro"},      {"HAYIR", "tr"},  {"НЕТ", "ru"},
    {"НІ", "uk"},       {"ΟΧΙ", "el"},    {"ΌΧΙ", "el"},     {"否", "zh"},     {"不", "zh"},
    {"不是", "zh"},     {"いいえ", "ja"}, {"아니요", "ko"},  {"아니오", "ko"}, {"لا", "ar"},
    {"לא", "he"},       {"नहीं", "hi"},    {"KHÔNG", "vi"},   {"HINDI", "tl"},
});

struct Meaning {
  AckReplyKind kind = AckReplyKind::kAcknowledge;
  std::string_view language_code;
};

const std::map<std::u32string, Meaning>& Meanings() {
  static const auto meanings = [] {
    std::map<std::u32string, Meaning> by_word;
    for (const Word& word : kAcknowledging)
      by_word.try_emplace(NormalizeKeyword(word.text),
                          Meaning{AckReplyKind::kAcknowledge, word.language_code});
    for (const Word& word : kDeclining)
      by_word.try_emplace(NormalizeKeyword(word.text),
                          Meaning{AckReplyKind::kDecline, word.language_code});
    return by_word;
  }();
  return meanings;
}

bool IsDigit(char32_t c) { return c >= U'0' && c <= U'9'; }

// Removes a code from the beginning or the end of `text`; empty without one.
std::string TakeCode(std::u32string& text) {
  std::u32string code;
  const auto ends_with_digits = [](std::u32string_view part) {
    return part.size() == kCodeDigits && std::ranges::all_of(part, IsDigit);
  };
  if (text.size() < kCodeDigits) return {};
  const size_t rest = text.size() - kCodeDigits;
  const std::u32string first = text.substr(0, kCodeDigits), last = text.substr(rest);
  if (ends_with_digits(last) && (rest == 0 || text[rest - 1] == U' ')) {
    code = last;
    text.resize(rest);
  } else if (ends_with_digits(first) && text[kCodeDigits] == U' ') {
    code = first;
    text.erase(0, kCodeDigits);
  }
  while (!text.empty() && text.back() == U' ') text.pop_back();
  while (!text.empty() && text.front() == U' ') text.erase(0, 1);
  return {code.begin(), code.end()};
}

}  // namespace

std::optional<AckReply> AckReplyOf(std::string_view body) {
  std::u32string text = NormalizeKeyword(body);
  AckReply reply;
  reply.code = TakeCode(text);
  reply.language_code = "en";
  if (text.empty() && !reply.code.empty()) return reply;
  const auto meaning = Meanings().find(text);
  if (text.empty() || meaning == Meanings().end()) return std::nullopt;
  reply.kind = meaning->second.kind;
  reply.language_code = meaning->second.language_code;
  return reply;
}

}  // namespace tocsin::twilio
