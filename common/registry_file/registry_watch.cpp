#include "common/registry_file/registry_watch.h"

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>

#include "common/registry_file/registry_file.h"

namespace tocsin::registry_file {
namespace {

constexpr std::chrono::seconds kLookEvery{1};

std::optional<std::filesystem::file_time_type> TimeOf(const std::string& path) {
  std::error_code failed;
  const auto time = std::filesystem::last_write_time(path, failed);
  return failed ? std::nullopt : std::optional(time);
}

}  // namespace

RegistryWatch::RegistryWatch(std::string path, RegistrySource& source, Report report)
    : thread_([path = std::move(path), &source, report = std::move(report)](std::stop_token stop) {
        std::mutex mutex;
        std::condition_variable_any woken;
        auto seen = TimeOf(path);
        while (!stop.stop_requested()) {
          {
            std::unique_lock lock(mutex);
            woken.wait_for(lock, stop, kLookEvery, [] { return false; });
          }
          const auto now = TimeOf(path);
          if (!now || now == seen) continue;
          seen = now;
          auto loaded = Load(path);
          if (loaded) source.Swap(*loaded);
          report(loaded ? Status() : Status(Fail(loaded.error())));
        }
      }) {}

}  // namespace tocsin::registry_file
