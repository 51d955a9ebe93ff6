#include "services/audit/status_service.h"

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/rpc/server.h"
#include "services/audit/fold_store.h"
#include "services/audit/unbuilt.h"
#include "services/audit/watch_call.h"
#include "tests/fakes/vault.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/log_of.h"

namespace tocsin::audit {
namespace {

using testing::HasSubstr;

constexpr char kKey[] = "hosp1234-secret";
constexpr char kOtherKey[] = "othr1234-secret";
constexpr char kSendOnlyKey[] = "send1234-secret";
constexpr char kAdminKey[] = "admn1234-secret";

ApiKey KeyOf(const std::string& key, std::set<Scope> scopes) {
  return {key.substr(0, 8), HexEncode(Sha256(key)), std::move(scopes)};
}

std::shared_ptr<const RegistrySnapshot> Clients() {
  RegistrySnapshot::Content content;
  content.clients.push_back(
      {"hospital", {KeyOf(kKey, {Scope::kStatus}), KeyOf(kSendOnlyKey, {Scope::kSend})}});
  content.clients.push_back({"another", {KeyOf(kOtherKey, {Scope::kStatus})}});
  content.clients.push_back({"operator", {KeyOf(kAdminKey, {Scope::kAdmin})}});
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

// Whether RetryInfo is among the details.
bool SaysWhen(const grpc::Status& status) {
  google::rpc::Status rich;
  google::rpc::RetryInfo retry;
  return rich.ParseFromString(status.error_details()) &&
         std::ranges::any_of(rich.details(), [&](const auto& any) { return any.UnpackTo(&retry); });
}

class StatusServiceTest : public testing::Test {
 protected:
  explicit StatusServiceTest(postgres::Options database = AuditDatabase())
      : board(database, "cluster"),
        readers(database, 2, 16),
        watch(database),
        service({door, topics, board, readers, vault, watch}, [](auto, auto, auto) {}),
        unbuilt(door),
        server(rpc::Server::Start({.address = "127.0.0.1:0"}, {&service, &unbuilt}).value()),
        channel(grpc::CreateChannel("127.0.0.1:" + std::to_string(server->port()),
                                    grpc::InsecureChannelCredentials())) {}

  ~StatusServiceTest() override {
    board.Close();
    watch.Close();
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
  rpc::Door door{registry};
  const FoldedTopics topics{Topics()};
  PositionBoard board;
  postgres::ReaderPool readers;
  AlertWatch watch;
  FakeVault vault;
  StatusService service;
  UnbuiltAuditService unbuilt;
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

// One watcher, reading as it pleases.
class Watching {
 public:
  Watching(const std::shared_ptr<grpc::Channel>& channel, const std::string& alert_id,
           const std::string& key = kKey) {
    context_.AddMetadata("authorization", "Bearer " + key);
    v1::WatchAlertRequest request;
    request.set_alert_id(alert_id);
    stub_ = v1::StatusService::NewStub(channel);
    reader_ = stub_->WatchAlert(&context_, request);
  }

  // The state of the next answer; 0 when there is none. Revisions rise.
  v1::AlertState Next() {
    v1::WatchAlertResponse response;
    if (!reader_->Read(&response)) return v1::ALERT_STATE_UNSPECIFIED;
    EXPECT_GT(response.alert().revision(), revision_);
    revision_ = response.alert().revision();
    return response.alert().state();
  }
  grpc::Status Finish() { return reader_->Finish(); }
  void Leave() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::StatusService::Stub> stub_;
  std::unique_ptr<grpc::ClientReader<v1::WatchAlertResponse>> reader_;
  std::uint64_t revision_ = 0;
};

// A2
TEST_F(StatusServiceTest, ShowsAWatcherEachChangeThatAnotherReplicaFoldsUntilTheEnd) {
  FoldStore other(AuditDatabase(), "cluster", topics);  // it wakes nobody here
  ASSERT_TRUE(other.Fold(std::vector{log.Accepted(id)}));
  Watching watching(channel, id);
  EXPECT_EQ(watching.Next(), v1::ALERT_STATE_PENDING);
  ASSERT_TRUE(other.Fold(std::vector{log.Changed(id, v1::TRY_STATUS_SENT, 2, "SM1")}));
  EXPECT_EQ(watching.Next(), v1::ALERT_STATE_SENT);
  ASSERT_TRUE(other.Fold(std::vector{log.Callback(id, "SM1", "delivered", 3)}));
  EXPECT_EQ(watching.Next(), v1::ALERT_STATE_DELIVERED);
  EXPECT_EQ(watching.Next(), v1::ALERT_STATE_UNSPECIFIED);
  EXPECT_TRUE(watching.Finish().ok());
}

TEST_F(StatusServiceTest, EndsAWatchOfAnAlertThatHadEndedWithItsEnd) {
  FoldStore store(AuditDatabase(), "cluster", topics);
  ASSERT_TRUE(
      store.Fold(std::vector{log.Accepted(id), log.Changed(id, v1::TRY_STATUS_DELIVERED, 2)}));
  Watching watching(channel, id);
  EXPECT_EQ(watching.Next(), v1::ALERT_STATE_DELIVERED);
  EXPECT_TRUE(watching.Finish().ok());
}

TEST_F(StatusServiceTest, LetsNobodyWatchWhatIsNotTheirs) {
  FoldStore store(AuditDatabase(), "cluster", topics);
  ASSERT_TRUE(store.Fold(std::vector{log.Accepted(id)}));
  EXPECT_EQ(ReasonOf(Watching(channel, id, kOtherKey).Finish()), "NOT_FOUND");
  EXPECT_EQ(ReasonOf(Watching(channel, AlertIdOf(2)).Finish()), "NOT_FOUND");
  EXPECT_EQ(ReasonOf(Watching(channel, "no id").Finish()), "INVALID_ARGUMENT:alert_id");
  EXPECT_EQ(ReasonOf(Watching(channel, id, "nobody00-x").Finish()), "UNAUTHENTICATED");
}

TEST_F(StatusServiceTest, ForgetsAWatcherWhoLeft) {
  FoldStore store(AuditDatabase(), "cluster", topics);
  ASSERT_TRUE(store.Fold(std::vector{log.Accepted(id)}));
  Watching watching(channel, id);
  EXPECT_EQ(watching.Next(), v1::ALERT_STATE_PENDING);
  EXPECT_EQ(watch.watching(), 1U);
  watching.Leave();
  EXPECT_EQ(watching.Finish().error_code(), grpc::StatusCode::CANCELLED);
  while (watch.watching() != 0) std::this_thread::yield();
}

// The order in which gRPC tells the two is its own: the test takes its part.
TEST_F(StatusServiceTest, AWatchThatIsCancelledWhileItWritesEndsWhenThatIsWritten) {
  FoldStore store(AuditDatabase(), "cluster", topics);
  ASSERT_TRUE(store.Fold(std::vector{log.Accepted(id)}));
  std::atomic<int> ended{0};
  const Answered count = [&](auto, auto, auto) { ++ended; };
  WatchCall* const call = WatchCall::Make(watch, board, count);
  call->Begin("hospital", id, {});
  std::promise<void> told;  // behind the call, so what the call heard is being written
  const auto behind = watch.Add(id, "hospital", [&](const auto&) { told.set_value(); });
  ASSERT_TRUE(behind);
  told.get_future().wait();
  watch.Remove(*behind);
  call->OnCancel();
  EXPECT_EQ(ended, 0);
  call->OnWriteDone(true);
  EXPECT_EQ(ended, 1);
  call->OnDone();
}

TEST_F(StatusServiceTest, ManyWhoLeaveInTheMiddleOfAWatchDoNotHoldUpTheEnd) {
  FoldStore store(AuditDatabase(), "cluster", topics);
  ASSERT_TRUE(store.Fold(std::vector{log.Accepted(id)}));
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<Watching>> watchers;
    for (int i = 0; i < 20; ++i) watchers.push_back(std::make_unique<Watching>(channel, id));
    for (const auto& watcher : watchers) watcher->Leave();
    for (const auto& watcher : watchers) watcher->Finish();
  }
  const auto began = std::chrono::steady_clock::now();
  server->Drain(std::chrono::system_clock::now() + std::chrono::seconds(60));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
  EXPECT_EQ(watch.watching(), 0U);
}

TEST_F(StatusServiceTest, SendsWatchersElsewhereWhenItStops) {
  FoldStore store(AuditDatabase(), "cluster", topics);
  ASSERT_TRUE(store.Fold(std::vector{log.Accepted(id)}));
  Watching watching(channel, id);
  EXPECT_EQ(watching.Next(), v1::ALERT_STATE_PENDING);
  watch.Close();
  const grpc::Status ended = watching.Finish();
  EXPECT_EQ(ReasonOf(ended), "OVERLOADED");
  EXPECT_TRUE(SaysWhen(ended));
  EXPECT_EQ(ReasonOf(Watching(channel, id).Finish()), "OVERLOADED");
}

// O8
TEST_F(StatusServiceTest, TellsWhoeverComesWhileItLeavesWhenToAskAgain) {
  door.Close();
  const grpc::Status status = Get(For(id));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "OVERLOADED");
  EXPECT_TRUE(SaysWhen(status));
  const grpc::Status watched = Watching(channel, id).Finish();
  EXPECT_EQ(watched.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(SaysWhen(watched));
}

// O8
TEST_F(StatusServiceTest, LeavesQuietlyOnceNobodyComesAnyMore) {
  door.Close();
  Get(For(id));
  const SteadyTime asked = std::chrono::steady_clock::now();
  EXPECT_FALSE(door.WaitUntilQuiet(asked));
  EXPECT_TRUE(door.WaitUntilQuiet(asked + std::chrono::seconds(60)));
}

TEST_F(StatusServiceTest, ListsForTheCallerOnly) {
  FoldStore store(AuditDatabase(), "cluster", topics);
  ASSERT_TRUE(store.Fold(std::vector{log.Accepted(id)}));
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

TEST_F(StatusServiceTest, SaysWhatIsNotBuiltToThoseWhoMayAskOnly) {
  const auto verify = [&](const std::string& key) {
    grpc::ClientContext context;
    if (!key.empty()) context.AddMetadata("authorization", "Bearer " + key);
    v1::VerifyTrailResponse verified;
    return v1::AuditService::NewStub(channel)->VerifyTrail(&context, {}, &verified);
  };
  EXPECT_EQ(ReasonOf(verify("")), "UNAUTHENTICATED:authorization");
  EXPECT_EQ(ReasonOf(verify(kKey)), "PERMISSION_DENIED");
  EXPECT_EQ(ReasonOf(verify(kAdminKey)), "NOT_BUILT");
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
