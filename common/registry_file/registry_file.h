// The registry from a YAML file.
#pragma once

#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/domain/registry.h"

namespace tocsin::registry_file {

// Reads the whole file (1 MiB at most) and the token files it names. Fails with kInvalidConfig:
// file, line, key, what is wrong and what is expected; an unknown key is a fault, a secret never
// part of the message.
Result<std::shared_ptr<const RegistrySnapshot>> Load(const std::string& path);

}  // namespace tocsin::registry_file
