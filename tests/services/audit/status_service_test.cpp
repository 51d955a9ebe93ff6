#include "services/audit/status_service.h"

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/rpc/server.h"
#include "services/audit/fold_store.h"
#include "services/audit/unbuilt.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/log_of.h"

namespace tocsin::audit {
namespace {

using testing::HasSubstr;

constexpr char kKey[] = "hosp1234-secret";
constexpr char kOtherKey[] = "othr1234-secret";
constexpr char kSendOnlyKey[] = "send1234-secret";

ApiKey KeyOf(const std::string& key, std::set<Scope> scopes) {
  return {key.substr(0, 8), HexEncode(Sha256(key)), std::move(scopes)};
}

std::shared_ptr<const RegistrySnapshot> Clients() {
  RegistrySnapshot::Content content;
  content.clients.push_back(
      {"hospital", {KeyOf(kKey, {Scope::kStatus}), KeyOf(kSendOnlyKey, {Scope::kSend})}});
  content.clients.push_back({"another", {KeyOf(kOtherKey, {Scope::kStatus})}});
  return RegistrySnapshot::Build(std::move(content)).value();
}

// The reason in google.rpc.ErrorInfo, and the field of google.rpc.BadRequest behind a colon.
std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status rich;
  std::string reason;
  if (!rich.ParseFromString(status.error_details())) return "no details";
  for (const auto& any : rich.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad;
    if (any.UnpackTo(&info)) reason = info.reason() + reason;
    if (any.UnpackTo(&bad) && bad.field_violations_size() > 0)
      reason += ":" + bad.field_violations(0).field();
  }
  return reason;
}

class StatusServiceTest : public testing::Test {
 protected:
  explicit StatusServiceTest(postgres::Options database = AuditDatabase())
      : board(database, "cluster"),
        readers(database, 2, 16),
        service({registry, topics, board, readers}, [](auto, auto) {}),
        server(rpc::Server::Start({.address = "127.0.0.1:0"}, {&service, &administration}).value()),
        channel(grpc::CreateChannel("127.0.0.1:" + std::to_string(server->port()),
                                    grpc::InsecureChannelCredentials())) {}

  ~StatusServiceTest() override {
    board.Close();
    server->Drain(std::chrono::system_clock::now() + std::chrono::seconds(5));
    readers.Close();
  }

  void SetUp() override { Clear(AuditDatabase()); }

  grpc::Status Get(const v1::GetAlertRequest& request, const std::string& key = kKey) {
    grpc::ClientContext context;
    if (!key.empty()) context.AddMetadata("authorization", "Bearer " + key);
    return v1::StatusService::NewStub(channel)->GetAlert(&context, request, &response);
  }

  v1::GetAlertRequest For(const std::string& alert_id) {
    v1::GetAlertRequest request;
    request.set_alert_id(alert_id);
    return request;
  }

  LogOf log;
  const std::string id = AlertIdOf(1);
  RegistrySource registry{Clients()};
  const FoldedTopics topics{Topics()};
  PositionBoard board;
  postgres::ReaderPool readers;
  StatusService service;
  UnbuiltAdminService administration;
  std::unique_ptr<rpc::Server> server;
  std::shared_ptr<grpc::Channel> channel;
  v1::GetAlertResponse response;
};

TEST_F(StatusServiceTest, RefusesWhoeverDoesNotSayWhoTheyAre) {
  EXPECT_EQ(Get(For(id), "").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Get(For(id), "nobody00-x").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Get(For(id), kSendOnlyKey).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(StatusServiceTest, NamesTheFieldAtFault) {
  EXPECT_EQ(ReasonOf(Get(For("not-a-uuid"))), "INVALID_ARGUMENT:alert_id");
  v1::GetAlertRequest request = For(id);
  request.mutable_wait()->set_seconds(31);
  EXPECT_EQ(ReasonOf(Get(request)), "INVALID_ARGUMENT:wait");
  request = For(id);
  request.mutable_min_position()->set_topic("elsewhere");
  EXPECT_EQ(ReasonOf(Get(request)), "INVALID_ARGUMENT:min_position.topic");
  request.mutable_min_position()->set_topic(log.topics.Events());
  request.mutable_min_position()->set_partition(-1);
  EXPECT_EQ(ReasonOf(Get(request)), "INVALID_ARGUMENT:min_position.partition");
}

TEST_F(StatusServiceTest, ShowsNoAlertToAnotherClient) {
  FoldStore store(AuditDatabase(), "cluster", topics);
  ASSERT_TRUE(store.Fold(std::vector{log.Accepted(id)}));
  EXPECT_TRUE(Get(For(id)).ok());
  EXPECT_EQ(response.alert().state(), v1::ALERT_STATE_PENDING);
  EXPECT_EQ(Get(For(id), kOtherKey).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Get(For(AlertIdOf(2))).error_code(), grpc::StatusCode::NOT_FOUND);
}

// A2
TEST_F(StatusServiceTest, WaitsForTheRecordThatTheCallerWrote) {
  const IncomingRecord record = log.Accepted(id);
  v1::GetAlertRequest request = For(id);
  *request.mutable_min_position() = record.position;
  request.mutable_wait()->set_seconds(30);
  std::thread folding([&] {
    while (board.waiting() == 0) std::this_thread::yield();
    FoldStore store(AuditDatabase(), "cluster", topics);
    EXPECT_TRUE(store.Fold(std::vector{record}));
  });
  const grpc::Status status = Get(request);
  folding.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.alert().alert_id(), id);
}

TEST_F(StatusServiceTest, SaysWhenTheWaitIsOver) {
  v1::GetAlertRequest request = For(id);
  request.mutable_min_position()->set_topic(log.topics.Events());
  request.mutable_wait()->set_nanos(1'000'000);
  const grpc::Status status = Get(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "OVERLOADED");
}

TEST_F(StatusServiceTest, LetsGoOfACallerWhoLeft) {
  v1::GetAlertRequest request = For(id);
  request.mutable_min_position()->set_topic(log.topics.Events());
  request.mutable_wait()->set_seconds(30);
  grpc::ClientContext context;
  context.AddMetadata("authorization", std::string("Bearer ") + kKey);
  std::thread leaving([&] {
    while (board.waiting() == 0) std::this_thread::yield();
    context.TryCancel();
  });
  const auto status = v1::StatusService::NewStub(channel)->GetAlert(&context, request, &response);
  leaving.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  while (board.waiting() != 0) std::this_thread::yield();
}

TEST_F(StatusServiceTest, SaysWhatIsNotBuilt) {
  grpc::ClientContext context;
  v1::ListAlertsResponse list;
  const auto listed = v1::StatusService::NewStub(channel)->ListAlerts(&context, {}, &list);
  EXPECT_EQ(listed.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(ReasonOf(listed), "NOT_BUILT");
  grpc::ClientContext another;
  v1::DropDeadLetterResponse dropped;
  const auto drop = v1::AdminService::NewStub(channel)->DropDeadLetter(&another, {}, &dropped);
  EXPECT_EQ(ReasonOf(drop), "NOT_BUILT");
  grpc::ClientContext third;
  v1::WatchAlertResponse change;
  const auto watch = v1::StatusService::NewStub(channel)->WatchAlert(&third, {});
  EXPECT_FALSE(watch->Read(&change));
  EXPECT_EQ(ReasonOf(watch->Finish()), "NOT_BUILT");
}

class StatusServiceWithoutPostgresTest : public StatusServiceTest {
 protected:
  StatusServiceWithoutPostgresTest()
      : StatusServiceTest(
            {.url = Secret("postgresql://nobody@127.0.0.1:1/none"), .application = "audit_test"}) {}
};

TEST_F(StatusServiceWithoutPostgresTest, SaysSo) {
  const grpc::Status status = Get(For(id));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "POSTGRES_UNAVAILABLE");
}

}  // namespace
}  // namespace tocsin::audit
