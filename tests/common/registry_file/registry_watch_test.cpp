// Reloading the registry file when it changes.
#include "common/registry_file/registry_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <vector>

#include "common/registry_file/registry_file.h"

namespace tocsin::registry_file {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr milliseconds kPollInterval{2};
constexpr milliseconds kManyPolls{60};
constexpr std::chrono::seconds kPatience{10};

std::string RegistryWith(const std::string& client_id) {
  return "clients: [{id: " + client_id + "}]\n";
}

class RegistryWatchTest : public testing::Test {
 protected:
  RegistryWatchTest() {
    std::string name = (std::filesystem::temp_directory_path() / "watch.XXXXXX").string();
    folder_ = mkdtemp(name.data());
    path_ = folder_ / "registry.yaml";
    Write(RegistryWith("first"));
    source_ = std::make_unique<RegistrySource>(*Load(path_));
    watch_ = std::make_unique<RegistryWatch>(
        path_, *source_,
        [this](const Status& loaded) {
          const std::lock_guard lock(mutex_);
          reports_.push_back(loaded ? "" : loaded.error().message);
          reported_.notify_all();
        },
        kPollInterval);
  }
  ~RegistryWatchTest() override {
    watch_.reset();
    std::filesystem::remove_all(folder_);
  }

  // Replaces the file by rename, so that the watch never sees half of it.
  void Write(const std::string& text) {
    std::ofstream(folder_ / "next") << text;
    std::filesystem::rename(folder_ / "next", path_);
  }

  // The error of report number `count` (from 1); empty for a success.
  std::string Report(size_t count) {
    std::unique_lock lock(mutex_);
    if (!reported_.wait_for(lock, kPatience, [&] { return reports_.size() >= count; }))
      return "no report";
    return reports_[count - 1];
  }

  size_t ReportsAfterManyPolls() {
    std::this_thread::sleep_for(kManyPolls);
    const std::lock_guard lock(mutex_);
    return reports_.size();
  }

  std::string ClientInForce() { return source_->Now()->All().clients.at(0).id; }

  std::filesystem::path folder_;
  std::filesystem::path path_;
  std::unique_ptr<RegistrySource> source_;
  std::mutex mutex_;
  std::condition_variable reported_;
  std::vector<std::string> reports_;
  std::unique_ptr<RegistryWatch> watch_;
};

TEST_F(RegistryWatchTest, LoadsAChangedFile) {
  Write(RegistryWith("second"));
  EXPECT_EQ(Report(1), "");
  EXPECT_EQ(ClientInForce(), "second");
  EXPECT_EQ(ReportsAfterManyPolls(), 1U);
}

TEST_F(RegistryWatchTest, KeepsTheSnapshotInForceWhenTheFileIsInvalid) {
  Write("clients: everyone\n");
  EXPECT_THAT(Report(1), HasSubstr(":1: `clients` must be a list"));
  EXPECT_EQ(ClientInForce(), "first");
}

TEST_F(RegistryWatchTest, ReportsADeletedFileOnceAndItsReturn) {
  std::filesystem::remove(path_);
  EXPECT_THAT(Report(1), HasSubstr("cannot be read: No such file or directory"));
  EXPECT_EQ(ClientInForce(), "first");
  EXPECT_EQ(ReportsAfterManyPolls(), 1U);
  Write(RegistryWith("second"));
  EXPECT_EQ(Report(2), "");
  EXPECT_EQ(ClientInForce(), "second");
}

TEST_F(RegistryWatchTest, ReportsTheReturnOfADeletedFileWithItsOldTime) {
  std::filesystem::rename(path_, folder_ / "moved");
  EXPECT_THAT(Report(1), HasSubstr("cannot be read"));
  std::filesystem::rename(folder_ / "moved", path_);
  EXPECT_EQ(Report(2), "");
}

}  // namespace
}  // namespace tocsin::registry_file
