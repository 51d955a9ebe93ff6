#include "common/telemetry/fatal.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/telemetry/log.h"

namespace tocsin::telemetry {
namespace {

// The line that ReportFatal() writes.
nlohmann::json LoggedBy(const Error& error) {
  testing::internal::CaptureStdout();
  ReportFatal(error);
  return nlohmann::json::parse(testing::internal::GetCapturedStdout());
}

TEST(ReportFatalTest, LogsTheErrorWithoutPersonalData) {  // P3
  const auto line = LoggedBy(
      {.code = ErrorCode::kInvalidConfig, .message = "bad +15017122661", .field = "TOCSIN_X"});
  EXPECT_EQ(line["severity_text"], "FATAL");
  EXPECT_EQ(line["event.name"], "service.failed");
  EXPECT_EQ(line["body"], "bad [phone]");
  EXPECT_EQ(line["reason"], "INVALID_CONFIG");
  EXPECT_EQ(line["field"], "TOCSIN_X");
}

TEST(ReportFatalTest, LogsNoEmptyField) {
  EXPECT_FALSE(LoggedBy({.code = ErrorCode::kNotFound, .message = "x"}).contains("field"));
}

TEST(ReportFatalTest, NamesTheServiceOutsideASession) {
  SetLogIdentity("tocsin-audit", "audit-1");
  const auto line = LoggedBy({.code = ErrorCode::kNotFound, .message = "x"});
  SetLogIdentity("tocsin", "");
  EXPECT_EQ(line["service.name"], "tocsin-audit");
  EXPECT_EQ(line["service.instance.id"], "audit-1");
}

TEST(ReportFatalTest, ReturnsTheExitCodeOfTheError) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(ReportFatal({.code = ErrorCode::kInvalidArgument, .message = ""}), 2);
  EXPECT_EQ(ReportFatal({.code = ErrorCode::kKafkaUnavailable, .message = ""}), 3);
  EXPECT_EQ(ReportFatal({.code = ErrorCode::kNotFound, .message = ""}), 1);
  testing::internal::GetCapturedStdout();
}

}  // namespace
}  // namespace tocsin::telemetry
