// Small files that settings name.
#pragma once

#include <string>

#include "common/base/secret.h"
#include "common/config/values.h"

namespace tocsin::config {

constexpr size_t kSecretFileLimit = 64 * 1024;  // bytes

struct SmallFile {
  std::string text;
  bool accessible_to_others = false;  // readable by others, or writable by the group
};

// Reads a regular file completely. Refuses a pipe or device, so it does not block for long. The
// error never contains the content.
Parsed<SmallFile> ReadSmallFile(const std::string& path, size_t limit);

struct SecretFile {
  Secret value;  // without one trailing line break
  bool accessible_to_others = false;
};

// Refuses an empty file and a NUL byte.
Parsed<SecretFile> ReadSecretFile(const std::string& path);

}  // namespace tocsin::config
