// The country of a +1 number. The North American Numbering Plan is shared by 25 countries.
#pragma once

#include <string>
#include <string_view>

namespace tocsin {

// `national` are the ten digits after +1. Two letters of ISO 3166-1; US where libphonenumber knows
// no range that holds the number. Asking libphonenumber means matching dozens of regular
// expressions, and its ranges never look past the sixth digit, so answers are remembered by these
// six: in a table of fixed size (32 KiB) in which a newer prefix takes an older one's place. Safe
// to call from several threads; does not block.
std::string NanpRegion(std::string_view national);

}  // namespace tocsin
