#include "common/rpc/errors.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace tocsin::rpc {
namespace {

template <typename Detail>
std::optional<Detail> DetailOf(const google::rpc::Status& status) {
  Detail detail;
  for (const auto& any : status.details())
    if (any.UnpackTo(&detail)) return detail;
  return std::nullopt;
}

TEST(ToRpcStatus, HasReasonFieldAndAlertOfTheError) {  // A1
  const auto status = ToRpcStatus({.code = ErrorCode::kIdempotencyConflict,
                                   .message = "this key was used for another request",
                                   .field = "idempotency_key",
                                   .subject = "an-alert"});
  EXPECT_EQ(status.code(), static_cast<int>(grpc::StatusCode::ALREADY_EXISTS));
  EXPECT_EQ(status.message(), "this key was used for another request");
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reason(), "IDEMPOTENCY_CONFLICT");
  EXPECT_EQ(info->domain(), "tocsin");
  EXPECT_EQ(info->metadata().at("field"), "idempotency_key");
  EXPECT_EQ(info->metadata().at("alertId"), "an-alert");
  const auto bad_request = DetailOf<google::rpc::BadRequest>(status);
  ASSERT_TRUE(bad_request);
  EXPECT_EQ(bad_request->field_violations(0).field(), "idempotency_key");
  EXPECT_FALSE(DetailOf<google::rpc::RetryInfo>(status));
}

TEST(ToRpcStatus, HasRetryInfoIfTheCodeIsRetryable) {  // A1
  const auto status = ToRpcStatus({.code = ErrorCode::kKafkaUnavailable,
                                   .message = "the alert was not accepted",
                                   .retry_after = std::chrono::milliseconds(1500)});
  const auto retry = DetailOf<google::rpc::RetryInfo>(status);
  ASSERT_TRUE(retry);
  EXPECT_EQ(retry->retry_delay().seconds(), 1);
  EXPECT_EQ(retry->retry_delay().nanos(), 500'000'000);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status)->metadata().at("retryAfterMs"), "1500");
  EXPECT_FALSE(DetailOf<google::rpc::BadRequest>(status));
}

}  // namespace
}  // namespace tocsin::rpc
