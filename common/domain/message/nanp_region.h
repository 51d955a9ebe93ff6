// The region of a +1 number. 25 countries share the North American Numbering Plan.
#pragma once

#include <string>
#include <string_view>

namespace tocsin {

// `national`: the ten digits after +1. Returns two letters (CLDR region code); "US" if
// libphonenumber knows no range that contains the number. libphonenumber matches dozens of regular
// expressions per number, but its ranges never extend past the sixth digit, so results are cached
// by the first six digits in a table of fixed size (32 KiB), in which a newer prefix replaces an
// older one. Thread-safe; does not block.
std::string NanpRegion(std::string_view national);

}  // namespace tocsin
