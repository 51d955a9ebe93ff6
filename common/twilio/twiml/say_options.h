// Languages and voices of Twilio's <Say> verb. Source: the values of `language` and `voice` in
// Twilio's reference of <Say> and in its SDKs, April 2026. Pure.
#pragma once

#include <string>

#include "common/base/result.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::twilio {

// Returns the options with language_code in Twilio's spelling; case is ignored (BCP 47). A voice is
// man, woman, alice, or a name with the prefix Polly. or Google., which is only checked by its
// form, because these names change without notice. Fails with kInvalidArgument and the field
// voice.language_code or voice.voice.
Result<v1::VoiceOptions> CheckSayOptions(const v1::VoiceOptions& options);

}  // namespace tocsin::twilio
