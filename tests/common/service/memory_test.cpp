#include "common/service/memory.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <fstream>
#include <memory>
#include <string>
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

using Block = std::vector<char>;

std::vector<std::unique_ptr<Block>> MakeBlocks(std::size_t count) {
  std::vector<std::unique_ptr<Block>> blocks;
  for (std::size_t i = 0; i < count; ++i) blocks.push_back(std::make_unique<Block>(500, 'x'));
  return blocks;
}

TEST(HeapTrimmerTest, TrimsOnlyWhenMemoryWasUsed) {
  HeapTrimmer heap;
  heap.Trim();
  EXPECT_FALSE(heap.Trim());
  const auto blocks = MakeBlocks(20'000);  // 10 MB
  EXPECT_TRUE(heap.Trim());
  EXPECT_FALSE(heap.Trim());
}

TEST(HeapTrimmerTest, ReturnsThePagesBetweenBlocksInUse) {
  if (mallinfo2().arena == 0) GTEST_SKIP() << "the sanitizer has its own malloc()";
  auto blocks = MakeBlocks(80'000);  // 40 MB
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (i % 100 != 0) blocks[i].reset();
  const long before = Memory("RssAnon");
  HeapTrimmer heap;
  EXPECT_TRUE(heap.Trim());
  EXPECT_LT(Memory("RssAnon"), before - 20'000);
}

TEST(ReleaseCodeTest, UnmapsCodeAndTheProgramContinues) {
  const long before = Memory("RssFile");
  ReleaseCode();
  EXPECT_LT(Memory("RssFile"), before);
  EXPECT_EQ(MakeBlocks(10).size(), 10U);
}

}  // namespace
}  // namespace tocsin::service
