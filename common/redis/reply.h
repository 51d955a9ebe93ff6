// A reply of Redis.
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
  std::string text;  // kText, kError
  std::vector<Reply> items;

  bool IsError() const { return kind == Kind::kError; }
  bool IsError(std::string_view code) const { return IsError() && text.starts_with(code); }

  // Item `index` of a list as text or as a number; empty or 0 if it is missing or of another kind.
  // Number() also parses text, because hash fields arrive as text.
  std::string_view Text(std::size_t index) const;
  std::int64_t Number(std::size_t index) const;
};

// kRedisUnavailable with the text of the error reply, truncated. It contains no values of commands.
Error ErrorOf(const Reply& reply);
Error Unavailable(std::string_view reason);

}  // namespace tocsin::redis
