#include "common/service/memory.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace tocsin::service {
namespace {

// In KiB, such as "RssAnon".
long Memory(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name + ':')) return std::stol(line.substr(name.size() + 1));
  return -1;
}

TEST(AllocatorTest, ReturnsThePagesBetweenBlocksInUse) {
  if (dlsym(RTLD_DEFAULT, "mallctl") == nullptr) GTEST_SKIP() << "the sanitizer has its own";
  std::vector<std::unique_ptr<std::string>> blocks;
  for (int i = 0; i < 80'000; ++i) blocks.push_back(std::make_unique<std::string>(500, 'x'));
  for (size_t i = 0; i < blocks.size(); ++i)
    if (i % 100 != 0) blocks[i].reset();
  const long before = Memory("RssAnon");  // 40 MB
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (Memory("RssAnon") > before - 20'000 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_LT(Memory("RssAnon"), before - 20'000);
}

TEST(ReleaseCodeTest, UnmapsCodeAndTheProgramContinues) {
  const long before = Memory("RssFile");
  ReleaseCode();
  EXPECT_LT(Memory("RssFile"), before);
}

}  // namespace
}  // namespace tocsin::service
