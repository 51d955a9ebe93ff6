// Reading small files named by settings.
#pragma once

#include <string>

#include "common/base/secret.h"
#include "common/config/values.h"

namespace tocsin::config {

constexpr size_t kSecretFileLimit = 64 * 1024;  // bytes

struct SmallFile {
  std::string text;
  bool open_to_others = false;  // others may read it, or the group may write it
};

// Reads a regular file whole; a pipe or device is refused, so it cannot block for long. The
// complaint never shows content.
Parsed<SmallFile> ReadSmallFile(const std::string& path, size_t limit);

struct SecretFile {
  Secret value;  // without the one trailing line end
  bool open_to_others = false;
};

// An empty secret, and one with a NUL byte, is refused.
Parsed<SecretFile> ReadSecretFile(const std::string& path);

}  // namespace tocsin::config
