#include "common/service/memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace tocsin::service {
namespace {

// Pages of files, in KiB.
long MappedMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssFile:")) return std::stol(line.substr(8));
  return -1;
}

TEST(ReleaseCodeTest, UnmapsCodeAndTheProgramContinues) {
  const long before = MappedMemory();
  ReleaseCode();
  EXPECT_LT(MappedMemory(), before);
}

}  // namespace
}  // namespace tocsin::service
