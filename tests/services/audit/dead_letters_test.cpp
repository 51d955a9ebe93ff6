#include "services/audit/dead_letters.h"

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/domain/registry.h"
#include "common/rpc/server.h"
#include "services/audit/admin_service.h"
#include "services/audit/fold_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/log_of.h"

namespace tocsin::audit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kAdminKey = "admn1234-secret";

std::shared_ptr<const RegistrySnapshot> Operators() {
  RegistrySnapshot::Content content = TestRegistry();  // its client has no scope `admin`
  content.clients.push_back(
      {"night-watch", {{kAdminKey.substr(0, 8), HexEncode(Sha256(kAdminKey)), {Scope::kAdmin}}}});
  return Built(std::move(content));
}

std::string ReasonOf(const grpc::Status& status) {
  if (status.ok()) return "OK";
  google::rpc::Status rich;
  google::rpc::ErrorInfo info;
  if (rich.ParseFromString(status.error_details()))
    for (const auto& any : rich.details())
      if (any.UnpackTo(&info)) return info.reason();
  return "no details";
}

class DeadLettersTest : public testing::Test {
 protected:
  DeadLettersTest()
      : readers(AuditDatabase(), 2, 16),
        service({clock, door, readers, vault, published, topics}, [](auto, auto, auto) {}),
        server(rpc::Server::Start({.address = "127.0.0.1:0"}, {&service}).value()),
        stub(v1::AdminService::NewStub(grpc::CreateChannel(
            "127.0.0.1:" + std::to_string(server->port()), grpc::InsecureChannelCredentials()))) {
    clock.Set(FromUnixMicros(kAcceptedUs + 60'000'000));
  }
  ~DeadLettersTest() override {
    server->Drain(std::chrono::system_clock::now() + std::chrono::seconds(5));
    readers.Close();
  }

  void SetUp() override { Clear(AuditDatabase()); }

  // The alert's first try failed for good: nothing of it was sent unless a SID is given.
  v1::TryName Bury(int number, const std::string& sid = {}, bool folded = true) {
    const IncomingRecord accepted = log.Accepted(AlertIdOf(number));
    v1::DeadRecord dead;
    dead.mutable_work()->ParseFromString(accepted.value);
    dead.mutable_work()->mutable_budget()->set_used(5);
    dead.mutable_work()->mutable_budget()->set_limit(5);
    dead.set_reason("RETRIES_EXHAUSTED");
    dead.set_explanation("Twilio's queue is full");
    dead.set_time_us(kAcceptedUs + number * 1'000'000LL);
    std::vector<IncomingRecord> records{accepted};
    if (folded)
      records.push_back(log.Changed(AlertIdOf(number), v1::TRY_STATUS_FAILED, 5, sid,
                                    "RETRIES_EXHAUSTED", 30001));
    records.push_back(log.Put(topics.Dead(v1::CHANNEL_SMS), dead.SerializeAsString()));
    EXPECT_TRUE(store.Fold(records));
    return dead.work().try_();
  }

  // The try that was published last is given up too. Of it nothing is folded but that it is queued.
  v1::TryName BuryThePublished(const std::string& reason) {
    std::vector<IncomingRecord> records;
    for (const OutgoingRecord& record : published.Records())
      if (record.topic == topics.Events()) records.push_back(log.Put(record.topic, record.value));
    v1::DeadRecord dead;
    *dead.mutable_work() = Work().back();
    dead.set_reason(reason);
    dead.set_time_us(kAcceptedUs + 30'000'000);
    records.push_back(log.Put(topics.Dead(v1::CHANNEL_SMS), dead.SerializeAsString()));
    EXPECT_TRUE(store.Fold(records));
    return dead.work().try_();
  }

  std::vector<std::string> Listed(const v1::ListDeadLettersRequest& request = {}) {
    std::vector<std::string> names;
    EXPECT_EQ(List(request), "OK");
    for (const v1::DeadLetter& letter : page.dead_letters())
      names.push_back(letter.try_().alert_id());
    return names;
  }
  std::string List(const v1::ListDeadLettersRequest& request, const std::string& key = kAdminKey) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + key);
    return ReasonOf(stub->ListDeadLetters(&context, request, &page));
  }
  std::string Redrive(const v1::TryName& name, bool force = false) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + kAdminKey);
    v1::RedriveDeadLetterRequest request;
    *request.mutable_try_() = name;
    request.set_force(force);
    return ReasonOf(stub->RedriveDeadLetter(&context, request, &redriven));
  }
  std::string Drop(const v1::TryName& name, const std::string& reason) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + kAdminKey);
    v1::DropDeadLetterRequest request;
    *request.mutable_try_() = name;
    request.set_reason(reason);
    v1::DropDeadLetterResponse response;
    return ReasonOf(stub->DropDeadLetter(&context, request, &response));
  }
  std::vector<v1::WorkRecord> Work() {
    return published.On<v1::WorkRecord>(topics.Lane(v1::CHANNEL_SMS, v1::ALERT_CLASS_HIGH));
  }
  std::vector<std::string> Acts() {
    std::vector<std::string> acts;
    for (const v1::Event& event : published.On<v1::Event>(topics.Events()))
      if (event.has_act_recorded())
        acts.push_back(event.act_recorded().actor() + ": " + event.act_recorded().act());
    return acts;
  }

  LogOf log;
  const Topics topics;
  ManualClock clock;
  FakeVault vault;
  FakeRecordLog published;
  RegistrySource registry{Operators()};
  rpc::Door door{registry};
  FoldStore store{AuditDatabase(), "cluster", FoldedTopics(Topics())};
  postgres::ReaderPool readers;
  AdminService service;
  std::unique_ptr<rpc::Server> server;
  std::unique_ptr<v1::AdminService::Stub> stub;
  v1::ListDeadLettersResponse page;
  v1::RedriveDeadLetterResponse redriven;
};

TEST_F(DeadLettersTest, AreListedNewestFirstInPagesForAdminsOnly) {
  for (const int number : {1, 3, 2}) Bury(number);
  EXPECT_THAT(Listed(), ElementsAre(AlertIdOf(3), AlertIdOf(2), AlertIdOf(1)));
  EXPECT_EQ(page.dead_letters(0).reason(), "RETRIES_EXHAUSTED");
  EXPECT_EQ(page.dead_letters(0).position().topic(), topics.Dead(v1::CHANNEL_SMS));
  v1::ListDeadLettersRequest request;
  request.set_page_size(2);
  EXPECT_THAT(Listed(request), ElementsAre(AlertIdOf(3), AlertIdOf(2)));
  request.set_page_token(page.next_page_token());
  EXPECT_THAT(Listed(request), ElementsAre(AlertIdOf(1)));
  EXPECT_THAT(page.next_page_token(), IsEmpty());
  request.set_reason("IN_DOUBT");
  EXPECT_EQ(List(request), "INVALID_ARGUMENT");  // the token is of another list
  request.clear_page_token();
  EXPECT_THAT(Listed(request), IsEmpty());
  request.clear_reason();
  request.set_channel(v1::CHANNEL_VOICE);
  EXPECT_THAT(Listed(request), IsEmpty());
  EXPECT_EQ(List(request, kTestKey), "PERMISSION_DENIED");
}

TEST_F(DeadLettersTest, OneIsPublishedAsItsNextTryUnderTheSameHorizon) {
  const v1::TryName name = Bury(1);
  EXPECT_EQ(Redrive(name), "OK");
  EXPECT_EQ(redriven.try_().try_(), 2U);
  ASSERT_THAT(Work(), SizeIs(1));
  const v1::WorkRecord work = Work().front();
  EXPECT_EQ(work.try_().try_(), 2U);
  EXPECT_EQ(work.not_after_us(), kAcceptedUs + 3'600'000'000);
  EXPECT_LE(work.budget().used(), work.budget().limit());
  EXPECT_FALSE(work.has_acceptance());
  EXPECT_THAT(Acts(), ElementsAre("night-watch: redrive"));
  EXPECT_THAT(Listed(), IsEmpty());
}

TEST_F(DeadLettersTest, APublicationThatFailedIsRepeatedUnderTheSameNames) {
  const v1::TryName name = Bury(1);
  published.EndWith(PublishOutcome::kUnknown);
  EXPECT_EQ(Redrive(name), "OUTCOME_UNKNOWN");
  published.EndWith(PublishOutcome::kPersisted);
  clock.Advance(std::chrono::seconds(10));
  EXPECT_EQ(Redrive(name), "OK");
  EXPECT_EQ(Redrive(name), "OK");
  EXPECT_EQ(redriven.try_().try_(), 2U);
  ASSERT_THAT(Work(), SizeIs(2));
  EXPECT_EQ(Work()[0].SerializeAsString(), Work()[1].SerializeAsString());
  const auto events = published.On<v1::Event>(topics.Events());
  EXPECT_EQ(events[0].SerializeAsString(), events[1].SerializeAsString());
}

// R4
TEST_F(DeadLettersTest, OneWhoseTryWasSentIsPublishedByForceOnlyAndThatIsRecorded) {
  const v1::TryName name = Bury(1, "SM1");
  EXPECT_EQ(Redrive(name), "IN_DOUBT");
  EXPECT_THAT(published.Records(), IsEmpty());
  EXPECT_EQ(Redrive(name, true), "OK");
  EXPECT_THAT(Acts(), ElementsAre("night-watch: redrive forced"));
  EXPECT_THAT(Work(), SizeIs(1));
}

// R4
TEST_F(DeadLettersTest, OneWhoseTryIsInDoubtIsPublishedByForceOnly) {
  const v1::TryName name = Bury(1);
  ASSERT_TRUE(store.Fold(std::vector{log.Changed(AlertIdOf(1), v1::TRY_STATUS_IN_DOUBT, 4)}));
  EXPECT_EQ(Redrive(name), "IN_DOUBT");
  EXPECT_EQ(Redrive(name, true), "OK");
}

TEST_F(DeadLettersTest, NothingIsPublishedPastTheHorizonNotEvenByForce) {
  const v1::TryName name = Bury(1);
  clock.Set(FromUnixMicros(kAcceptedUs + 3'600'000'000));
  EXPECT_EQ(Redrive(name, true), "EXPIRED");
  EXPECT_THAT(published.Records(), IsEmpty());
}

TEST_F(DeadLettersTest, NothingIsPublishedBeforeTheEndOfItsTryIsFolded) {
  const v1::TryName name = Bury(1, "", false);
  EXPECT_EQ(Redrive(name), "OVERLOADED");
  EXPECT_THAT(published.Records(), IsEmpty());
}

// R4
TEST_F(DeadLettersTest, ATryOfARedriveWhoseEndIsNotFoldedIsNotTakenForUnsentForItIsQueued) {
  ASSERT_EQ(Redrive(Bury(1)), "OK");
  const v1::TryName second = BuryThePublished("RETRIES_EXHAUSTED");
  EXPECT_EQ(second.try_(), 2U);
  EXPECT_EQ(Redrive(second), "OVERLOADED");
  EXPECT_THAT(Work(), SizeIs(1));
}

// R4
TEST_F(DeadLettersTest, ALetterThatSaysInDoubtIsPublishedByForceOnlyWhateverTheRowsSay) {
  ASSERT_EQ(Redrive(Bury(1)), "OK");
  const v1::TryName second = BuryThePublished("IN_DOUBT");
  EXPECT_EQ(Redrive(second), "IN_DOUBT");
  EXPECT_EQ(Redrive(second, true), "OVERLOADED");  // nor then before its end is folded
  EXPECT_THAT(Work(), SizeIs(1));
}

TEST_F(DeadLettersTest, OneThatWasDroppedIsGoneForGood) {
  const v1::TryName name = Bury(1);
  EXPECT_EQ(Drop(name, ""), "INVALID_ARGUMENT");
  EXPECT_EQ(Drop(name, std::string(257, 'x')), "INVALID_ARGUMENT");
  EXPECT_EQ(Drop(name, "the ward was closed"), "OK");
  EXPECT_EQ(Drop(name, "the ward was closed"), "OK");
  EXPECT_EQ(Redrive(name, true), "NOT_FOUND");
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_THAT(Acts(), ElementsAre("night-watch: drop", "night-watch: drop"));  // one by its id
  v1::TryName unknown = name;
  unknown.set_step(7);
  EXPECT_EQ(Drop(unknown, "x"), "NOT_FOUND");
  unknown.set_alert_id("no id");
  EXPECT_EQ(Redrive(unknown), "INVALID_ARGUMENT");
}

TEST_F(DeadLettersTest, OneOfARecordThatNobodyCouldReadIsKeptAside) {
  v1::DeadRecord dead;
  dead.set_unparsed("garbage");
  ASSERT_TRUE(
      store.Fold(std::vector{log.Put(topics.Dead(v1::CHANNEL_SMS), dead.SerializeAsString())}));
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_EQ(Ask(AuditDatabase(), "SELECT count(*) FROM tocsin.unparsed"), "1");
}

}  // namespace
}  // namespace tocsin::audit
