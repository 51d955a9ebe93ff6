#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <thread>

#include "services/audit/rpc/status_requests.h"
#include "services/audit/rpc/watch_stream.h"
#include "tests/services/audit/rpc/status_fixture.h"

namespace tocsin::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

v1::AlertCursor CursorOf(const std::string& alert_id, std::int64_t after_revision = 0) {
  v1::AlertCursor cursor;
  cursor.set_alert_id(alert_id);
  cursor.set_after_revision(after_revision);
  return cursor;
}

// A stream of WatchAlert.
class Watch {
 public:
  Watch(const std::shared_ptr<grpc::Channel>& channel, const std::vector<v1::AlertCursor>& cursors,
        const std::string& key = kKey) {
    context_.AddMetadata("authorization", "Bearer " + key);
    v1::WatchAlertRequest request;
    for (const v1::AlertCursor& cursor : cursors) *request.add_alerts() = cursor;
    stub_ = v1::StatusService::NewStub(channel);
    reader_ = stub_->WatchAlert(&context_, request);
  }
  Watch(const std::shared_ptr<grpc::Channel>& channel, const std::string& alert_id,
        const std::string& key = kKey)
      : Watch(channel, {CursorOf(alert_id)}, key) {}

  // The state in the next response; UNSPECIFIED at the end of the stream.
  v1::AlertState Next() {
    response = v1::WatchAlertResponse();
    if (!reader_->Read(&response)) return v1::ALERT_STATE_UNSPECIFIED;
    std::int64_t& revision = revisions_[response.alert().alert_id()];
    EXPECT_GT(response.alert().revision(), revision);
    revision = response.alert().revision();
    return response.alert().state();
  }
  // Reads the responses that are left.
  grpc::Status Finish() {
    while (reader_->Read(&response)) continue;
    return reader_->Finish();
  }
  void Cancel() { context_.TryCancel(); }

  v1::WatchAlertResponse response;

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::StatusService::Stub> stub_;
  std::unique_ptr<grpc::ClientReader<v1::WatchAlertResponse>> reader_;
  std::map<std::string, std::int64_t> revisions_;
};

class WatchAlertTest : public StatusFixture {
 protected:
  std::int64_t RevisionOf(const std::string& alert_id) {
    EXPECT_TRUE(Get(For(alert_id)).ok());
    return alert.revision();
  }
};

// A2
TEST_F(WatchAlertTest, StreamsEachChangeByAnotherReplicaUntilTheAlertIsFinal) {
  Apply({build.Accepted(id)});
  Watch watch(channel, id);
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_PENDING);
  Apply({build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, "SM1")});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_SENT);
  Apply({build.Callback(id, "SM1", "delivered", 3)});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_DELIVERED);
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_UNSPECIFIED);
  EXPECT_TRUE(watch.Finish().ok());
}

// A2
TEST_F(WatchAlertTest, StreamsSeveralAlertsUntilAllAreFinal) {
  const std::string other = AlertIdOf(2);
  Apply({build.Accepted(id), build.Accepted(other)});
  Watch watch(channel, {CursorOf(id), CursorOf(other)});
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(watch.Next(), v1::ALERT_STATE_PENDING);
    ids.push_back(watch.response.alert().alert_id());
  }
  EXPECT_THAT(ids, UnorderedElementsAre(id, other));
  Apply({build.Changed(id, v1::ATTEMPT_STATUS_DELIVERED, 2)});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_DELIVERED);
  EXPECT_EQ(watch.response.alert().alert_id(), id);
  Apply({build.Changed(other, v1::ATTEMPT_STATUS_SENT, 2, "SM2")});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_SENT);
  EXPECT_EQ(watch.response.alert().alert_id(), other);
  Apply({build.Changed(other, v1::ATTEMPT_STATUS_FAILED, 3, "SM2", "TWILIO_API_ERROR", 30003)});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_FAILED);
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_UNSPECIFIED);
  EXPECT_TRUE(watch.Finish().ok());
}

TEST_F(WatchAlertTest, EndsWithTheStateOfAnAlertThatIsAlreadyFinal) {
  Apply({build.Accepted(id), build.Changed(id, v1::ATTEMPT_STATUS_DELIVERED, 2)});
  Watch watch(channel, id);
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_DELIVERED);
  EXPECT_TRUE(watch.Finish().ok());
}

// A2
TEST_F(WatchAlertTest, DoesNotRepeatRevisionsThatTheClientHasSeen) {
  Apply({build.Accepted(id)});
  Watch watch(channel, {CursorOf(id, RevisionOf(id))});
  while (subscriptions.count() == 0) std::this_thread::yield();
  Apply({build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, "SM1")});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_SENT);
  watch.Cancel();
}

// A2
TEST_F(WatchAlertTest, EndsWithoutAResponseIfTheFinalRevisionWasSeen) {
  Apply({build.Accepted(id), build.Changed(id, v1::ATTEMPT_STATUS_DELIVERED, 2)});
  Watch watch(channel, {CursorOf(id, RevisionOf(id))});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_UNSPECIFIED);
  EXPECT_TRUE(watch.Finish().ok());
  EXPECT_EQ(subscriptions.count(), 0U);
}

// A2
TEST_F(WatchAlertTest, ResumesWithTheFinalStateIfPostgresLostTheRevisionThatTheClientHasSeen) {
  const IncomingRecord accepted = build.Accepted(id);
  const IncomingRecord sent = build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, "SM1");
  Apply({accepted});
  Apply({sent});
  const std::int64_t seen = RevisionOf(id);
  ClearTables(AuditDatabase());
  Apply({accepted});
  Apply({sent, build.Callback(id, "SM1", "delivered", 3)});  // in one batch this time
  Watch watch(channel, {CursorOf(id, seen)});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_DELIVERED);
  EXPECT_TRUE(watch.Finish().ok());
}

// A2
TEST_F(WatchAlertTest, ResumesWithTheAlertsThatAreNotFinal) {
  const std::string other = AlertIdOf(2);
  Apply({build.Accepted(id), build.Accepted(other),
         build.Changed(id, v1::ATTEMPT_STATUS_DELIVERED, 2)});
  Watch watch(channel, {CursorOf(id, RevisionOf(id)), CursorOf(other)});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_PENDING);
  EXPECT_EQ(watch.response.alert().alert_id(), other);
  Apply({build.Changed(other, v1::ATTEMPT_STATUS_DELIVERED, 2)});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_DELIVERED);
  EXPECT_TRUE(watch.Finish().ok());
}

// A2
TEST_F(WatchAlertTest, StartsEachAlertWhenItsConsistencyTokenIsVisible) {
  const IncomingRecord record = build.Accepted(id);
  Apply({build.Accepted(AlertIdOf(2))});  // other records make the token visible in the end
  v1::AlertCursor cursor = CursorOf(id);
  records::v1::Position position = record.position;
  position.set_partition(3);
  cursor.set_consistency_token(MakeConsistencyToken(position));
  Watch watch(channel, {cursor, CursorOf(AlertIdOf(2))});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_PENDING);
  EXPECT_EQ(watch.response.alert().alert_id(), AlertIdOf(2));
  IncomingRecord late = record;
  late.position = position;
  Apply({late});
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_PENDING);
  EXPECT_EQ(watch.response.alert().alert_id(), id);
  watch.Cancel();
}

TEST_F(WatchAlertTest, NamesTheAlertThatIsNotFound) {
  Apply({build.Accepted(id)});
  const std::string unknown = AlertIdOf(2);
  for (const grpc::Status& status : {Watch(channel, unknown).Finish(),
                                     Watch(channel, {CursorOf(id), CursorOf(unknown)}).Finish()}) {
    EXPECT_EQ(ReasonOf(status), "NOT_FOUND");
    EXPECT_THAT(status.error_message(), HasSubstr(unknown));
  }
  EXPECT_EQ(ReasonOf(Watch(channel, id, kOtherKey).Finish()), "NOT_FOUND");
  while (subscriptions.count() != 0) std::this_thread::yield();
}

TEST_F(WatchAlertTest, RefusesInvalidRequests) {
  EXPECT_EQ(ReasonOf(Watch(channel, std::vector<v1::AlertCursor>{}).Finish()),
            "INVALID_ARGUMENT:alerts");
  EXPECT_EQ(ReasonOf(Watch(channel, "not a UUID").Finish()), "INVALID_ARGUMENT:alerts[0].alert_id");
  EXPECT_EQ(ReasonOf(Watch(channel, {CursorOf(AlertIdOf(2)), CursorOf(id), CursorOf(id)}).Finish()),
            "INVALID_ARGUMENT:alerts[2].alert_id");
  EXPECT_EQ(ReasonOf(Watch(channel, {CursorOf(id, -1)}).Finish()),
            "INVALID_ARGUMENT:alerts[0].after_revision");
  v1::AlertCursor cursor = CursorOf(id);
  cursor.set_consistency_token("not a token");
  EXPECT_EQ(ReasonOf(Watch(channel, {cursor}).Finish()),
            "INVALID_ARGUMENT:alerts[0].consistency_token");
  EXPECT_EQ(ReasonOf(Watch(channel, id, "nobody00-x").Finish()), "UNAUTHENTICATED");
}

TEST_F(WatchAlertTest, WatchesAtMostAHundredAlerts) {
  std::vector<IncomingRecord> records;
  std::vector<v1::AlertCursor> cursors;
  for (int i = 0; i < kMaxWatchedAlerts; ++i) {
    records.push_back(build.Accepted(AlertIdOf(i)));
    records.push_back(build.Changed(AlertIdOf(i), v1::ATTEMPT_STATUS_DELIVERED, 2));
    cursors.push_back(CursorOf(AlertIdOf(i)));
  }
  Apply(records);
  Watch watch(channel, cursors);
  for (int i = 0; i < kMaxWatchedAlerts; ++i) EXPECT_EQ(watch.Next(), v1::ALERT_STATE_DELIVERED);
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_UNSPECIFIED);
  EXPECT_TRUE(watch.Finish().ok());
  cursors.push_back(CursorOf(AlertIdOf(kMaxWatchedAlerts)));
  EXPECT_THAT(ReasonOf(Watch(channel, cursors).Finish()), HasSubstr("alerts"));
}

TEST_F(WatchAlertTest, ForgetsACancelledStream) {
  Apply({build.Accepted(id)});
  Watch watch(channel, id);
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_PENDING);
  EXPECT_EQ(subscriptions.count(), 1U);
  watch.Cancel();
  EXPECT_EQ(watch.Finish().error_code(), grpc::StatusCode::CANCELLED);
  while (subscriptions.count() != 0) std::this_thread::yield();
}

// gRPC reports the cancellation and the end of the write in any order; the test plays gRPC.
TEST_F(WatchAlertTest, AStreamThatIsCancelledDuringAWriteEndsAfterTheWrite) {
  Apply({build.Accepted(id)});
  std::atomic<int> ended{0};
  const RequestObserver count = [&](auto, auto, auto) { ++ended; };
  WatchStream* const stream = WatchStream::Make(subscriptions, waiter, count);
  stream->Start("hospital", {{id, 0, {}}});
  std::promise<void> notified;  // after the stream, whose write has then started
  const auto second =
      subscriptions.Add(id, "hospital", 0, [&](const auto&) { notified.set_value(); });
  ASSERT_TRUE(second);
  notified.get_future().wait();
  subscriptions.Remove(*second);
  stream->OnCancel();
  EXPECT_EQ(ended, 0);
  stream->OnWriteDone(true);
  EXPECT_EQ(ended, 1);
  stream->OnDone();
}

TEST_F(WatchAlertTest, ManyCancelledStreamsDoNotDelayTheShutdown) {
  Apply({build.Accepted(id)});
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<Watch>> watches;
    for (int i = 0; i < 20; ++i) watches.push_back(std::make_unique<Watch>(channel, id));
    for (const auto& watch : watches) watch->Cancel();
    for (const auto& watch : watches) watch->Finish();
  }
  const auto start = std::chrono::steady_clock::now();
  server->Drain(std::chrono::system_clock::now() + std::chrono::seconds(60));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  EXPECT_EQ(subscriptions.count(), 0U);
}

// O8
TEST_F(WatchAlertTest, EndsStreamsDuringShutdownWithARetryDelay) {
  Apply({build.Accepted(id)});
  Watch watch(channel, id);
  EXPECT_EQ(watch.Next(), v1::ALERT_STATE_PENDING);
  subscriptions.Close();
  const grpc::Status ended = watch.Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(ended), "SHUTTING_DOWN");
  EXPECT_TRUE(HasRetryInfo(ended));
  EXPECT_EQ(ReasonOf(Watch(channel, id).Finish()), "SHUTTING_DOWN");
}

}  // namespace
}  // namespace tocsin::audit
