// JSON by appending: the create answer is on the hot path, where a document tree costs too much.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace tocsin::sim {

// Writes one object; commas are its affair. Text must be UTF-8.
class ObjectWriter {
 public:
  // Appends to `out`, which outlives the writer.
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  void Close() { out_ += '}'; }

  void Text(std::string_view name, std::string_view value);
  void TextOrNull(std::string_view name, std::string_view value);  // null when empty
  void Number(std::string_view name, std::int64_t value);
  void NumberOrNull(std::string_view name, std::int64_t value);  // null when 0
  void Boolean(std::string_view name, bool value);
  void Raw(std::string_view name, std::string_view json);  // a value that is JSON already

 private:
  void Name(std::string_view name);

  std::string& out_;
  bool first_ = true;
};

void AppendQuoted(std::string& out, std::string_view text);

// "Thu, 24 Aug 2023 05:01:45 +0000" (RFC 2822).
std::string Rfc2822(WallTime time);

// Broken UTF-8 becomes U+FFFD, so that what comes back is JSON.
std::string ScrubUtf8(std::string_view text);

}  // namespace tocsin::sim
