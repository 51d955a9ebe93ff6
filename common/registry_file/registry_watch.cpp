#include "common/registry_file/registry_watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "common/base/sleep.h"
#include "common/registry_file/registry_file.h"

namespace tocsin::registry_file {
namespace {

// Changes with the content: by a write (time, size) or by a rename over the file (inode).
struct FileVersion {
  std::time_t seconds;
  long nanoseconds;
  off_t size;
  ino_t inode;

  bool operator==(const FileVersion&) const = default;
};

// Nothing if the file cannot be opened for reading.
std::optional<FileVersion> VersionOf(const std::string& path) {
  // O_NONBLOCK: without it, opening a FIFO that has no writer blocks.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return std::nullopt;
  struct stat status {};
  const bool known = ::fstat(file, &status) == 0;
  ::close(file);
  if (!known) return std::nullopt;
  return FileVersion{.seconds = status.st_mtim.tv_sec,
                     .nanoseconds = status.st_mtim.tv_nsec,
                     .size = status.st_size,
                     .inode = status.st_ino};
}

}  // namespace

RegistryWatch::RegistryWatch(std::string path, RegistrySource& source, Report report,
                             Micros poll_interval) {
  auto seen = VersionOf(path);
  thread_ = std::jthread([seen, path = std::move(path), &source, report = std::move(report),
                          poll_interval](std::stop_token stop) mutable {
    while (SleepFor(poll_interval, stop)) {
      const auto now = VersionOf(path);
      if (now == seen) continue;
      seen = now;
      auto loaded = Load(path);  // fails with the cause if the file cannot be read
      if (loaded) source.Swap(*loaded);
      report(loaded ? Status() : Status(Fail(loaded.error())));
    }
  });
}

}  // namespace tocsin::registry_file
