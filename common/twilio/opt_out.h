// What an inbound message says about consent. Pure.
#pragma once

#include <string_view>

namespace tocsin::twilio {

enum class ConsentWish { kNone, kStop, kStart, kHelp };

// Twilio's verdict (OptOutType of Advanced Opt-Out) where it gives one; else the message as a
// whole, its outer blanks and full stops trimmed, case folded, compared with the words of many
// languages (S4). A wish inside a longer text is none: "please stop by" is no opt-out.
ConsentWish WishOf(std::string_view body, std::string_view opt_out_type);

}  // namespace tocsin::twilio
