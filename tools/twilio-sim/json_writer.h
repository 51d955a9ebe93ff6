// Writes JSON by appending to a string: a document tree is too slow for create requests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace tocsin::sim {

// Writes one object. Text must be UTF-8.
class ObjectWriter {
 public:
  // Appends to `out`, which outlives the writer.
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  void Close() { out_ += '}'; }

  void Text(std::string_view name, std::string_view value);
  void TextOrNull(std::string_view name, std::string_view value);  // null if empty
  void Number(std::string_view name, std::int64_t value);
  void NumberOrNull(std::string_view name, std::int64_t value);  // null if 0
  void Boolean(std::string_view name, bool value);
  void Raw(std::string_view name, std::string_view json);  // `json` is the value

 private:
  void Name(std::string_view name);

  std::string& out_;
  bool first_ = true;
};

void AppendQuoted(std::string& out, std::string_view text);

// "Thu, 24 Aug 2023 05:01:45 +0000" (RFC 2822).
std::string Rfc2822(WallTime time);

// Replaces invalid UTF-8 by U+FFFD.
std::string ScrubUtf8(std::string_view text);

}  // namespace tocsin::sim
