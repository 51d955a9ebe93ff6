// Reads the registry from a YAML file (docs/configuration.md).
#pragma once

#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/domain/registry/registry.h"

namespace tocsin::registry_file {

// Reads the file (at most 1 MiB) and the token files that it names (at most 4 KiB each). Blocks on
// the file system. Fails with kInvalidConfig; the message has one line per error: file, line, key,
// problem and expected value, and never contains a secret. Unknown and duplicate keys are errors.
Result<std::shared_ptr<const RegistrySnapshot>> Load(const std::string& path);

}  // namespace tocsin::registry_file
