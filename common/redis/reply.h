// What Redis answered, as a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"

namespace tocsin::redis {

struct Reply {
  enum class Kind { kNil, kInteger, kText, kList, kError };
  Kind kind = Kind::kNil;
  std::int64_t integer = 0;
  std::string text;  // of a text or an error
  std::vector<Reply> items;

  bool IsError() const { return kind == Kind::kError; }
  bool IsError(std::string_view code) const { return IsError() && text.starts_with(code); }

  // Item `index` of a list as text or as a number; empty and 0 when it is missing or of another
  // kind. A field of a hash arrives as text, a number of a script as an integer: both are read.
  std::string_view Text(std::size_t index) const;
  std::int64_t Number(std::size_t index) const;
};

// kRedisUnavailable with the error's own words, cut short: an error quotes no value of ours.
Error ErrorOf(const Reply& reply);
Error Unavailable(std::string_view why);

}  // namespace tocsin::redis
