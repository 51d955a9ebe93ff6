#include "common/telemetry/fatal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::telemetry {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(ReportFatalTest, PrintsTheErrorWithoutPersonalData) {  // P3
  testing::internal::CaptureStderr();
  EXPECT_EQ(ReportFatal({.code = ErrorCode::kInvalidConfig, .message = "bad +15017122661"}), 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("bad [phone] [INVALID_CONFIG]"), Not(HasSubstr("2661"))));
}

TEST(ReportFatalTest, ReturnsTheExitCodeOfTheError) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(ReportFatal({.code = ErrorCode::kInvalidArgument, .message = ""}), 2);
  EXPECT_EQ(ReportFatal({.code = ErrorCode::kKafkaUnavailable, .message = ""}), 3);
  EXPECT_EQ(ReportFatal({.code = ErrorCode::kNotFound, .message = ""}), 1);
  testing::internal::GetCapturedStderr();
}

}  // namespace
}  // namespace tocsin::telemetry
