#include "common/twilio/twiml/say_options.h"

#include <algorithm>
#include <string_view>

namespace tocsin::twilio {
namespace {

constexpr size_t kMaxVoiceCharacters = 64;  // "Google.en-US-Chirp3-HD-Aoede" has 28

// The codes without a region are those of the voices man and woman.
constexpr std::string_view kLanguages[] = {
    "af-ZA",  "am-ET", "ar-AE", "ar-XA",     "arb",   "bg-BG",  "bn-IN", "ca-ES",  "cmn-CN",
    "cmn-TW", "cs-CZ", "cy-GB", "da-DK",     "de",    "de-AT",  "de-DE", "el-GR",  "en",
    "en-AU",  "en-CA", "en-GB", "en-GB-WLS", "en-IE", "en-IN",  "en-NZ", "en-US",  "en-ZA",
    "es",     "es-ES", "es-MX", "es-US",     "fi-FI", "fil-PH", "fr",    "fr-BE",  "fr-CA",
    "fr-FR",  "gu-IN", "he-IL", "hi-IN",     "hu-HU", "id-ID",  "is-IS", "it",     "it-IT",
    "ja-JP",  "kn-IN", "ko-KR", "lv-LV",     "ml-IN", "mr-IN",  "ms-MY", "nb-NO",  "nl-BE",
    "nl-NL",  "pa-IN", "pl-PL", "pt-BR",     "pt-PT", "ro-RO",  "ru-RU", "sk-SK",  "sr-RS",
    "sv-SE",  "ta-IN", "te-IN", "th-TH",     "tr-TR", "uk-UA",  "vi-VN", "yue-HK", "zh-CN",
    "zh-HK",  "zh-TW",
};
constexpr std::string_view kVoices[] = {"man", "woman", "alice"};
constexpr std::string_view kProviders[] = {"Polly.", "Google."};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, Lower, Lower);
}

bool IsNameCharacter(char c) {
  return (Lower(c) >= 'a' && Lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool IsVoice(std::string_view voice) {
  if (std::ranges::find(kVoices, voice) != std::end(kVoices)) return true;
  if (voice.size() > kMaxVoiceCharacters) return false;
  return std::ranges::any_of(kProviders, [voice](std::string_view provider) {
    return voice.starts_with(provider) && voice.size() > provider.size() &&
           std::ranges::all_of(voice.substr(provider.size()), IsNameCharacter);
  });
}

}  // namespace

Result<v1::VoiceOptions> CheckSayOptions(const v1::VoiceOptions& options) {
  v1::VoiceOptions checked = options;
  if (!options.language_code().empty()) {
    const auto* const found = std::ranges::find_if(kLanguages, [&](std::string_view language) {
      return EqualIgnoringCase(language, options.language_code());
    });
    if (found == std::end(kLanguages))
      return Fail(ErrorCode::kInvalidArgument,
                  "is not a language that Twilio speaks, such as en-CA", "voice.language_code");
    checked.set_language_code(std::string(*found));
  }
  if (!options.voice().empty() && !IsVoice(options.voice()))
    return Fail(ErrorCode::kInvalidArgument,
                "is not a voice of Twilio: man, woman, alice, or a name such as Polly.Joanna or "
                "Google.en-US-Standard-A",
                "voice.voice");
  return checked;
}

}  // namespace tocsin::twilio
