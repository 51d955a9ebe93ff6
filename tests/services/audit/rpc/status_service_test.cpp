#include "services/audit/rpc/status_service.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/services/audit/rpc/status_fixture.h"

namespace tocsin::audit {
namespace {

class StatusServiceTest : public StatusFixture {};

TEST_F(StatusServiceTest, RefusesRequestsWithoutAValidKeyWithTheScope) {
  EXPECT_EQ(Get(For(id), "").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Get(For(id), "nobody00-x").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Get(For(id), kSendOnlyKey).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(StatusServiceTest, NamesTheInvalidField) {
  EXPECT_EQ(ReasonOf(Get(For("not-a-uuid"))), "INVALID_ARGUMENT:alert_id");
  v1::GetAlertRequest request = For(id);
  request.mutable_wait_duration()->set_seconds(31);
  EXPECT_EQ(ReasonOf(Get(request)), "INVALID_ARGUMENT:wait_duration");
  request = For(id);
  request.set_consistency_token("not a token");
  EXPECT_EQ(ReasonOf(Get(request)), "INVALID_ARGUMENT:consistency_token");
}

TEST_F(StatusServiceTest, RefusesTheTokenOfATopicOrPartitionThatIsNotProjected) {
  records::v1::Position position;
  position.set_topic("elsewhere");
  v1::GetAlertRequest request = For(id);
  request.set_consistency_token(MakeConsistencyToken(position));
  EXPECT_EQ(ReasonOf(Get(request)), "INVALID_ARGUMENT:consistency_token");
  position.set_topic(build.topics.Events());
  position.set_partition(kLanePartitions);
  request.set_consistency_token(MakeConsistencyToken(position));
  EXPECT_EQ(ReasonOf(Get(request)), "INVALID_ARGUMENT:consistency_token");
}

TEST_F(StatusServiceTest, ReturnsAnAlertToItsOwnClientOnly) {
  Apply({build.Accepted(id)});
  EXPECT_TRUE(Get(For(id)).ok());
  EXPECT_EQ(alert.state(), v1::ALERT_STATE_PENDING);
  EXPECT_EQ(alert.alert_id(), id);
  EXPECT_EQ(Get(For(id), kOtherKey).error_code(), grpc::StatusCode::NOT_FOUND);
  const grpc::Status unknown = Get(For(AlertIdOf(2)));
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(unknown.error_message(), "alert " + AlertIdOf(2) + " not found");
}

// A2
TEST_F(StatusServiceTest, WaitsForTheWriteOfTheConsistencyToken) {
  const IncomingRecord record = build.Accepted(id);
  v1::GetAlertRequest request = For(id);
  request.set_consistency_token(MakeConsistencyToken(record.position));
  request.mutable_wait_duration()->set_seconds(30);
  std::thread projecting([&] {
    while (waiter.waiting() == 0) std::this_thread::yield();
    Apply({record});
  });
  const grpc::Status status = Get(request);
  projecting.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(alert.alert_id(), id);
}

TEST_F(StatusServiceTest, IsUnavailableWhenTheWaitIsOver) {
  v1::GetAlertRequest request = For(id);
  request.set_consistency_token(FutureToken());
  request.mutable_wait_duration()->set_nanos(1'000'000);
  const grpc::Status status = Get(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "OVERLOADED");
}

TEST_F(StatusServiceTest, ForgetsARequestThatWasCancelledWhileItWaits) {
  v1::GetAlertRequest request = For(id);
  request.set_consistency_token(FutureToken());
  request.mutable_wait_duration()->set_seconds(30);
  grpc::ClientContext context;
  context.AddMetadata("authorization", std::string("Bearer ") + kKey);
  std::thread cancelling([&] {
    while (waiter.waiting() == 0) std::this_thread::yield();
    context.TryCancel();
  });
  const auto status = v1::StatusService::NewStub(channel)->GetAlert(&context, request, &alert);
  cancelling.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  while (waiter.waiting() != 0) std::this_thread::yield();
}

// O8
TEST_F(StatusServiceTest, RefusesRequestsDuringShutdownWithARetryDelay) {
  gate.Close();
  const grpc::Status status = Get(For(id));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "SHUTTING_DOWN");
  EXPECT_TRUE(HasRetryInfo(status));
}

// O8
TEST_F(StatusServiceTest, IsQuietWhenClientsHaveStopped) {
  gate.Close();
  Get(For(id));
  const SteadyTime start = std::chrono::steady_clock::now();
  EXPECT_FALSE(gate.WaitUntilQuiet(start));
  EXPECT_TRUE(gate.WaitUntilQuiet(start + std::chrono::seconds(60)));
}

TEST_F(StatusServiceTest, ListsTheAlertsOfTheClient) {
  Apply({build.Accepted(id)});
  const auto list = [&](const std::string& key) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + key);
    v1::ListAlertsResponse listed;
    const grpc::Status status =
        v1::StatusService::NewStub(channel)->ListAlerts(&context, {}, &listed);
    return status.ok() ? std::to_string(listed.alerts_size()) : ReasonOf(status);
  };
  EXPECT_EQ(list(kKey), "1");
  EXPECT_EQ(list(kOtherKey), "0");
  EXPECT_EQ(list(kSendOnlyKey), "PERMISSION_DENIED");
}

TEST_F(StatusServiceTest, AuditServiceIsUnimplementedForAdmins) {
  const auto verify = [&](const std::string& key) {
    grpc::ClientContext context;
    if (!key.empty()) context.AddMetadata("authorization", "Bearer " + key);
    v1::VerifyAuditLogResponse verified;
    return v1::AuditService::NewStub(channel)->VerifyAuditLog(&context, {}, &verified);
  };
  EXPECT_EQ(ReasonOf(verify("")), "UNAUTHENTICATED:authorization");
  EXPECT_EQ(ReasonOf(verify(kKey)), "PERMISSION_DENIED");
  EXPECT_EQ(ReasonOf(verify(kAdminKey)), "UNIMPLEMENTED");
}

class StatusServiceWithoutPostgresTest : public StatusFixture {
 protected:
  StatusServiceWithoutPostgresTest() : StatusFixture(UnreachableDatabase()) {}
};

TEST_F(StatusServiceWithoutPostgresTest, IsUnavailable) {
  const grpc::Status status = Get(For(id));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "POSTGRES_UNAVAILABLE");
}

}  // namespace
}  // namespace tocsin::audit
