// Finds personal data in metadata that is stored in the clear: labels, idempotency keys, actor ids.
// Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tocsin {

enum class PiiKind { kPhoneNumber, kEmailAddress, kPaymentCard };

std::string_view NameOf(PiiKind kind);  // "a phone number": for messages

// What the text looks like, or nothing.
//
// - A phone number: "+" and digits that form a possible number, anywhere in the text; or the whole
//   text is a valid number as it is written within one of `regions` (CLDR, such as "CA"), of at
//   least 10 digits.
// - An e-mail address, anywhere in the text.
// - A payment card: the whole text is 13 to 19 digits with a card network's first digits and a
//   valid check digit (Luhn).
//
// Numeric ids, dates, UUIDs and hashes are nothing. A heuristic for honest mistakes: it does not
// find what is encoded or abbreviated, and an id may look like a phone number by chance.
std::optional<PiiKind> FindPii(std::string_view text, std::span<const std::string> regions);

}  // namespace tocsin
