// Follows the registry file: a change is in force within two seconds, without a restart.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/ports/registry_source.h"

namespace tocsin::registry_file {

// Looks at the file's time of change once a second, on a thread of its own. A file with a fault
// changes nothing: the snapshot in force stays, and `report` is told.
class RegistryWatch {
 public:
  using Report =
      std::function<void(const Status& loaded)>;  // after each attempt to load; must not block

  // `source` must outlive the watch.
  RegistryWatch(std::string path, RegistrySource& source, Report report);

 private:
  std::jthread thread_;  // stops and joins in its destructor
};

}  // namespace tocsin::registry_file
