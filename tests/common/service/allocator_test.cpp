// The allocator of the services.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace tocsin::service {
namespace {

// In KiB.
long PrivateMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return std::stol(line.substr(8));
  return -1;
}

TEST(AllocatorTest, ReturnsThePagesBetweenBlocksInUse) {
  std::vector<std::unique_ptr<std::string>> blocks;
  for (int i = 0; i < 80'000; ++i) blocks.push_back(std::make_unique<std::string>(500, 'x'));
  const long before = PrivateMemory();  // 40 MB; pages are returned while the blocks are freed, too
  for (size_t i = 0; i < blocks.size(); ++i)
    if (i % 100 != 0) blocks[i].reset();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (PrivateMemory() > before - 20'000 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_LT(PrivateMemory(), before - 20'000);
}

}  // namespace
}  // namespace tocsin::service
