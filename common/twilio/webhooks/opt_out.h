// Recognises opt-out and opt-in keywords in inbound messages. Pure.
#pragma once

#include <string_view>

#include "common/domain/message/consent_wish.h"

namespace tocsin::twilio {

// `opt_out_type` is Twilio's OptOutType (Advanced Opt-Out); it decides if it is not empty.
// Otherwise the whole message is compared with keywords of many languages, ignoring case,
// surrounding whitespace and full stops. A keyword within a longer text does not count: "please
// stop by".
ConsentKeyword KeywordOf(std::string_view body, std::string_view opt_out_type);

}  // namespace tocsin::twilio
