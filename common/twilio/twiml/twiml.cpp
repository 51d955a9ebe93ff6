#include "common/twilio/twiml/twiml.h"

#include <algorithm>

namespace tocsin::twilio {
namespace {

constexpr size_t kCodeDigits = 4;  // a shorter run is spoken as a number
constexpr std::string_view kDefaultLanguage = "en-US";

// The phrases of Tocsin.
struct Phrases {
  std::string_view language;  // the part before the region
  std::string_view menu;
  std::string_view no_key;
  std::string_view unknown_key;
  std::string_view acknowledged;
  std::string_view escalated;
  std::string_view opted_out;
  std::string_view goodbye;
};

constexpr Phrases kPhrases[] = {
    {"en",
     "Press 1 to acknowledge. Press 2 to hear this again. Press 3 to escalate. Press 9 to receive "
     "no more calls.",
     "No key was pressed.", "This key has no meaning here.",
     "Thank you. The alert is acknowledged. Good-bye.",
     "Thank you. Your wish to escalate is recorded. Good-bye.",
     "You will receive no more calls from this number. Good-bye.", "Good-bye."},
    {"fr",
     "Appuyez sur 1 pour confirmer, sur 2 pour réécouter, sur 3 pour transmettre, sur 9 pour ne "
     "plus recevoir d'appels.",
     "Aucune touche n'a été pressée.", "Cette touche n'a pas de fonction ici.",
     "Merci. L'alerte est confirmée. Au revoir.",
     "Merci. Votre demande de transmission est enregistrée. Au revoir.",
     "Vous ne recevrez plus d'appels de ce numéro. Au revoir.", "Au revoir."},
    {"de",
     "Drücken Sie 1 zum Bestätigen, 2 zum Wiederholen, 3 zum Weiterleiten, 9, um keine Anrufe mehr "
     "zu erhalten.",
     "Es wurde keine Taste gedrückt.", "Diese Taste hat hier keine Bedeutung.",
     "Danke. Die Meldung ist bestätigt. Auf Wiederhören.",
     "Danke. Ihr Wunsch zur Weiterleitung ist vermerkt. Auf Wiederhören.",
     "Sie erhalten keine Anrufe mehr von dieser Nummer. Auf Wiederhören.", "Auf Wiederhören."},
    {"es",
     "Pulse 1 para confirmar, 2 para repetir, 3 para escalar, 9 para no recibir más llamadas.",
     "No se pulsó ninguna tecla.", "Esa tecla no tiene función aquí.",
     "Gracias. La alerta está confirmada. Adiós.",
     "Gracias. Su petición de escalar queda registrada. Adiós.",
     "No recibirá más llamadas de este número. Adiós.", "Adiós."},
};

const Phrases& PhrasesFor(std::string_view language) {
  const std::string_view wanted = language.substr(0, language.find('-'));
  const auto* found = std::ranges::find(kPhrases, wanted, &Phrases::language);
  return found == std::end(kPhrases) ? kPhrases[0] : *found;
}

std::string_view LanguageOf(const v1::VoiceOptions& voice) {
  return voice.language_code().empty() ? kDefaultLanguage : std::string_view(voice.language_code());
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

constexpr size_t kForbiddenCharacterBytes = 3;

// Whether the text starts with a code point that XML 1.0 forbids: U+FFFE, U+FFFF, or a surrogate.
bool StartsWithForbiddenCharacter(std::string_view text) {
  if (text.size() < kForbiddenCharacterBytes) return false;
  return text.starts_with("\xEF\xBF\xBE") || text.starts_with("\xEF\xBF\xBF") ||
         (text[0] == '\xED' && static_cast<unsigned char>(text[1]) >= 0xA0);
}

std::string Say(std::string_view language, std::string_view voice, std::string_view text) {
  std::string element = "<Say language=\"" + EscapeXml(language) + "\"";
  if (!voice.empty()) element += " voice=\"" + EscapeXml(voice) + "\"";
  return element + ">" + EscapeXml(text) + "</Say>";
}

// Speaks a phrase of Tocsin. The voice is used only for its own language.
std::string SayPhrase(const v1::VoiceOptions& voice, std::string_view Phrases::*phrase) {
  const Phrases& phrases = PhrasesFor(LanguageOf(voice));
  if (LanguageOf(voice).starts_with(phrases.language))
    return Say(LanguageOf(voice), voice.voice(), phrases.*phrase);
  return Say(kDefaultLanguage, {}, phrases.*phrase);
}

std::string_view Phrases::*PhraseFor(CallKey key) {
  switch (key) {
    case CallKey::kAcknowledge: return &Phrases::acknowledged;
    case CallKey::kEscalate: return &Phrases::escalated;
    case CallKey::kOptOut: return &Phrases::opted_out;
    case CallKey::kNone:
    case CallKey::kRepeat:
    case CallKey::kUnknown: return &Phrases::goodbye;
  }
  return &Phrases::goodbye;
}

}  // namespace

std::string AlertTwiml(const v1::VoiceOptions& voice, std::string_view text,
                       std::string_view gather_url, RepeatReason reason) {
  std::string speech;
  if (reason == RepeatReason::kNoKey) speech += SayPhrase(voice, &Phrases::no_key);
  if (reason == RepeatReason::kUnknownKey) speech += SayPhrase(voice, &Phrases::unknown_key);
  speech += Say(LanguageOf(voice), voice.voice(), SpellCodes(text));
  speech += "<Pause length=\"1\"/>" + SayPhrase(voice, &Phrases::menu);
  const std::string url = EscapeXml(gather_url);
  return "<Response><Gather input=\"dtmf\" numDigits=\"1\" timeout=\"" +
         std::to_string(kGatherTimeoutSeconds) + "\" method=\"POST\" action=\"" + url + "\">" +
         speech + "</Gather><Redirect method=\"POST\">" + url + "</Redirect></Response>";
}

std::string ConfirmationTwiml(const v1::VoiceOptions& voice, CallKey key) {
  return "<Response>" + SayPhrase(voice, PhraseFor(key)) + "<Hangup/></Response>";
}

std::string SpellCodes(std::string_view text) {
  std::string spoken;
  for (size_t i = 0; i < text.size();) {
    if (!IsDigit(text[i])) {
      spoken += text[i++];
      continue;
    }
    size_t end = i;
    while (end < text.size() && IsDigit(text[end])) ++end;
    const bool is_code = end - i >= kCodeDigits;
    for (const size_t begin = i; i < end; ++i) {
      if (is_code && i > begin) spoken += ' ';
      spoken += text[i];
    }
  }
  return spoken;
}

std::string EscapeXml(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (StartsWithForbiddenCharacter(text.substr(i))) {
      escaped += ' ';
      i += kForbiddenCharacterBytes - 1;
      continue;
    }
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&apos;"; break;
      default: escaped += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
    }
  }
  return escaped;
}

}  // namespace tocsin::twilio
