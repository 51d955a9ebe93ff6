#include "common/service/file_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace tocsin::service {
namespace {

TEST(RaiseFileLimitTest, RaisesTheSoftLimitToTheHardOne) {  // R5
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlim_t hard = limit.rlim_max;
  limit.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  RaiseFileLimit();
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, hard);
}

}  // namespace
}  // namespace tocsin::service
