// Reloads the registry file when it changes, without a restart.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "common/base/time.h"
#include "common/ports/registry_source.h"

namespace tocsin::registry_file {

// Checks the file's time, size and inode every `poll_interval` on a thread of its own and loads the
// file when one of them changes. If the file is invalid or can no longer be read, the snapshot in
// force stays and `report` gets the error.
class RegistryWatch {
 public:
  // Called after each load and once when the file can no longer be read, on the watch's thread.
  // Must not block.
  using Report = std::function<void(const Status& loaded)>;

  // The file as it is now counts as loaded. `source` outlives the watch.
  RegistryWatch(std::string path, RegistrySource& source, Report report,
                Micros poll_interval = std::chrono::seconds(1));

 private:
  std::jthread thread_;  // its destructor stops and joins
};

}  // namespace tocsin::registry_file
