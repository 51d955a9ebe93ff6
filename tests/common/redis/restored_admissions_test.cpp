// Admissions and marks while the store is being restored, and after it was.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "common/redis/admission_queue.h"
#include "common/redis/claim_store_restorer.h"
#include "tests/common/redis/admit_request.h"
#include "tests/common/redis/blocking_claims.h"
#include "tests/common/redis/private_redis.h"

namespace tocsin::redis {
namespace {

// An alert without an idempotency key: it is claimed and marked, never admitted.
AdmitRequest AnIssuedAlert() { return ARequest({}); }

class RestoredAdmissionsTest : public testing::Test {
 protected:
  static AcceptedAlert Accepted(const AdmitRequest& request) {
    return {.alert_id = request.alert_id,
            .client_id = request.client_id,
            .idempotency_digest = request.idempotency_digest,
            .request_digest = request.request_digest,
            .create_time = request.create_time,
            .expire_time = request.expire_time,
            .position = {}};
  }
  static ClaimRequest AClaim(const AdmitRequest& request) {
    ClaimRequest claim;
    claim.attempt.set_alert_id(request.alert_id);
    claim.attempt.set_step(1);
    claim.attempt.set_attempt(1);
    claim.client_id = request.client_id;
    claim.lease = std::chrono::seconds(35);
    claim.expire_time = request.expire_time;
    if (!request.idempotency_digest.empty()) claim.accepted = Accepted(request);
    return claim;
  }
  Result<MarkResult> Mark(const AdmitRequest& request, MarkRequest::Mark mark) {
    std::promise<Result<MarkResult>> promise;
    queue.Mark(
        {.alert_id = request.alert_id, .client_id = request.client_id, .mark = mark, .time = {}},
        [&](Result<MarkResult> marked) { promise.set_value(std::move(marked)); });
    return promise.get_future().get();
  }
  // The id proves the client.
  Result<MarkResult> CancelIssued(const AdmitRequest& request) {
    std::promise<Result<MarkResult>> promise;
    queue.Mark({.alert_id = request.alert_id,
                .client_id = request.client_id,
                .time = {},
                .issued_until = request.expire_time},
               [&](Result<MarkResult> marked) { promise.set_value(std::move(marked)); });
    return promise.get_future().get();
  }
  ErrorCode CancelError(const AdmitRequest& request) {
    const Result<MarkResult> marked = Mark(request, MarkRequest::Mark::kCancelled);
    return marked ? ErrorCode::kInternal : marked.error().code;
  }
  Result<MarkResult> AcknowledgeByApi(const AdmitRequest& request, const std::string& actor_id,
                                      const std::string& person = {}) {
    std::promise<Result<MarkResult>> promise;
    queue.Mark({.alert_id = request.alert_id,
                .client_id = request.client_id,
                .mark = MarkRequest::Mark::kAcknowledged,
                .time = {},
                .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                .actor_id = actor_id,
                .person = person},
               [&](Result<MarkResult> marked) { promise.set_value(std::move(marked)); });
    return promise.get_future().get();
  }
  bool Acknowledge(const AdmitRequest& request) {
    return Mark(request, MarkRequest::Mark::kAcknowledged).has_value();
  }
  Result<Admission> Admit(const AdmitRequest& request) {
    std::promise<Result<Admission>> promise;
    queue.Admit(request,
                [&](Result<Admission> admission) { promise.set_value(std::move(admission)); });
    return promise.get_future().get();
  }
  StoreEpoch Restore(const AdmitRequest& request) {
    const auto epoch = restorer.AdoptEpoch();
    EXPECT_TRUE(epoch) << epoch.error().message;
    EXPECT_TRUE(restorer.Restore(*epoch, std::vector{Accepted(request)}));
    return *epoch;
  }

  PrivateRedis redis;
  std::atomic<int> restarts = 0;
  Server server{redis.ServerSettings(), {}, [this] { ++restarts; }};
  AdmissionQueue queue{server, 1};
  AcceptanceStoreRestorer restorer{server};
  BlockingClaims claims{server};
};

// Otherwise an alert that was sent before the loss would be reported as cancelled.
TEST_F(RestoredAdmissionsTest, MarksARestoredAlertOnlyAfterItsClaimsAreRestored) {  // A2
  const AdmitRequest lost = ARequest();
  const StoreEpoch epoch = Restore(lost);
  ASSERT_TRUE(restorer.MarkRestored(epoch));
  EXPECT_EQ(CancelError(lost), ErrorCode::kRedisUnavailable);
  const AdmitRequest admitted = ARequest();
  ASSERT_TRUE(Admit(admitted));
  const auto since = Mark(admitted, MarkRequest::Mark::kCancelled);
  ASSERT_TRUE(since) << since.error().message;
  EXPECT_FALSE(since->may_be_emergency);
  ASSERT_TRUE(ClaimStoreRestorer(server).MarkRestored(epoch));
  const auto before = Mark(lost, MarkRequest::Mark::kCancelled);
  ASSERT_TRUE(before) << before.error().message;
  EXPECT_TRUE(before->may_be_emergency);
}

// The alert is stored, but the claim after it may be lost with the end of the append-only file.
TEST_F(RestoredAdmissionsTest, CancelsAnAlertFromBeforeALossOnlyAfterClaimsAreRestored) {  // A2
  MarkRestored(server);
  const AdmitRequest earlier = ARequest();
  ASSERT_TRUE(Admit(earlier));
  ASSERT_TRUE(Mark(earlier, MarkRequest::Mark::kCancelled)) << "no worker can have claimed it yet";
  redis.Execute({"SET", Keys("tocsin").Epoch(), "an epoch after a loss"});
  const auto epoch = restorer.AdoptEpoch();
  ASSERT_TRUE(epoch) << epoch.error().message;
  EXPECT_EQ(CancelError(earlier), ErrorCode::kRedisUnavailable);
  EXPECT_TRUE(Acknowledge(earlier)) << "an acknowledgement does not depend on claims";
  ASSERT_TRUE(ClaimStoreRestorer(server).MarkRestored(*epoch));
  EXPECT_TRUE(Mark(earlier, MarkRequest::Mark::kCancelled));
}

// Emergencies are sent while claims are being restored. Redis gets their claims later.
TEST_F(RestoredAdmissionsTest, CancelsAnEmergencyOnlyAfterClaimsAreRestored) {  // A2, R6
  MarkRestored(server);
  AdmitRequest emergency = ARequest();
  emergency.emergency = true;
  ASSERT_TRUE(Admit(emergency));
  EXPECT_EQ(CancelError(emergency), ErrorCode::kRedisUnavailable);
  EXPECT_TRUE(Acknowledge(emergency)) << "an acknowledgement does not depend on claims";
  const auto epoch = restorer.AdoptEpoch();
  ASSERT_TRUE(epoch) << epoch.error().message;
  ASSERT_TRUE(ClaimStoreRestorer(server).MarkRestored(*epoch));
  const auto marked = Mark(emergency, MarkRequest::Mark::kCancelled);
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_TRUE(marked->may_be_emergency);
  EXPECT_EQ(marked->create_time, emergency.create_time);
}

TEST_F(RestoredAdmissionsTest, MarksAnIssuedAlertOnlyAfterTheClaimsAreRestored) {  // A2
  const StoreEpoch epoch = Restore(ARequest());
  const AdmitRequest issued = AnIssuedAlert();
  EXPECT_EQ(CancelIssued(issued).error().code, ErrorCode::kRedisUnavailable);
  ASSERT_TRUE(ClaimStoreRestorer(server).MarkRestored(epoch));
  ASSERT_TRUE(CancelIssued(issued));
  const std::int64_t expected = ToUnixMicros(issued.expire_time + std::chrono::hours(48)) / 1000;
  const Reply expiry = redis.Execute({"PEXPIRETIME", Keys("tocsin").Alert(issued.alert_id)});
  EXPECT_NEAR(static_cast<double>(expiry.integer), static_cast<double>(expected), 1.0);
  EXPECT_EQ(claims.Claim(AClaim(issued))->state, ClaimReply::State::kStopped);
}

TEST_F(RestoredAdmissionsTest, AClaimedAlertThatWasNotAdmittedIsMarkedForItsClientOnly) {  // A2
  ASSERT_TRUE(ClaimStoreRestorer(server).MarkRestored(Restore(ARequest())));
  const AdmitRequest issued = AnIssuedAlert();
  ASSERT_EQ(claims.Claim(AClaim(issued))->state, ClaimReply::State::kGranted);
  AdmitRequest foreign = issued;
  foreign.client_id = "another";
  EXPECT_EQ(CancelIssued(foreign).error().code, ErrorCode::kNotFound);
  const auto marked = CancelIssued(issued);
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_TRUE(marked->newly_marked);
  EXPECT_TRUE(marked->post_in_progress);
  EXPECT_TRUE(marked->may_be_emergency);
}

// It cannot be confirmed: an earlier one may not be restored yet. The event of a key press is
// recorded all the same. Without an event a mark would stop the alert unexplained.
TEST_F(RestoredAdmissionsTest, OnlyAKeyPressStopsAttemptsWhileClaimsAreBeingRestored) {  // V6
  Restore(ARequest());
  for (const bool key_press : {false, true}) {
    const AdmitRequest issued = AnIssuedAlert();
    std::promise<Result<MarkResult>> promise;
    queue.Mark({.alert_id = issued.alert_id,
                .client_id = issued.client_id,
                .mark = MarkRequest::Mark::kAcknowledged,
                .time = SystemClock().Now(),
                .unless_cancelled = !key_press,
                .issued_until = issued.expire_time},
               [&](Result<MarkResult> marked) { promise.set_value(std::move(marked)); });
    EXPECT_EQ(promise.get_future().get().error().code, ErrorCode::kRedisUnavailable);
    EXPECT_EQ(claims.Claim(AClaim(issued))->state,
              key_press ? ClaimReply::State::kStopped : ClaimReply::State::kGranted);
  }
}

// Two values for each: Lua's unpack() fails with 8 000.
TEST_F(RestoredAdmissionsTest, AnAlertWithThousandsOfResultsIsMarked) {
  constexpr std::size_t kResults = 5'000;
  const AdmitRequest alert = ARequest();
  ASSERT_TRUE(ClaimStoreRestorer(server).MarkRestored(Restore(alert)));
  redis.Execute(
      {"EVAL", "for i = 1, ARGV[1] do redis.call('HSET', KEYS[1], '1.' .. i .. '.result', '') end",
       "1", Keys("tocsin").Alert(alert.alert_id), std::to_string(kResults)});
  const auto marked = Mark(alert, MarkRequest::Mark::kCancelled);
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_EQ(marked->results.size(), kResults);
}

// Otherwise the event of this mark would count for the one who named the person.
TEST_F(RestoredAdmissionsTest, AnAcknowledgementAfterThatOfAPersonReturnsThePerson) {
  const AdmitRequest alert = ARequest();
  ASSERT_TRUE(ClaimStoreRestorer(server).MarkRestored(Restore(alert)));
  const auto first = AcknowledgeByApi(alert, "dispatcher", "ann");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->newly_marked);
  const auto second = AcknowledgeByApi(alert, "");
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_FALSE(second->newly_marked);
  EXPECT_EQ(second->actor_id, "dispatcher");
  EXPECT_EQ(second->person, "ann");
}

// No attempt of the plan was made: the events of those that were stopped contain it.
TEST_F(RestoredAdmissionsTest, APersonOfAPlanThatWasStoppedIsMarkedAfterARestore) {  // V6
  const AdmitRequest alert = ARequest();
  const StoreEpoch epoch = Restore(alert);
  KnownAttempt acknowledged;
  acknowledged.name.set_alert_id(alert.alert_id);
  acknowledged.client_id = alert.client_id;
  acknowledged.time = SystemClock().Now();
  KnownAttempt stopped = acknowledged;
  acknowledged.mark = KnownMark{.kind = KnownMark::Kind::kAcknowledged,
                                .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                                .actor_id = "ann"};
  stopped.name.set_step(1);
  stopped.name.set_attempt(1);
  stopped.result.set_outcome(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
  stopped.person = "ann";
  stopped.goal = v1::REACH_DELIVERED;
  ClaimStoreRestorer claim_restorer(server);
  ASSERT_TRUE(claim_restorer.Restore(epoch, std::vector{acknowledged, stopped}));
  ASSERT_TRUE(claim_restorer.MarkRestored(epoch));
  const auto marked = AcknowledgeByApi(alert, "ben");
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_TRUE(marked->newly_marked);
  EXPECT_EQ(marked->person, "ben");
}

TEST_F(RestoredAdmissionsTest, AFlushRemovesTheMarker) {  // A3
  const AdmitRequest lost = ARequest();
  const StoreEpoch epoch = Restore(lost);
  ASSERT_TRUE(restorer.MarkRestored(epoch));
  redis.Execute({"FLUSHALL"});
  EXPECT_FALSE(restorer.Restore(epoch, std::vector{Accepted(lost)}));
  const auto next = restorer.AdoptEpoch();
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_NE(next->id, epoch.id);
  EXPECT_FALSE(next->restored);
  EXPECT_EQ(Admit(lost).error().code, ErrorCode::kRedisUnavailable);
}

// It may have started with an old file that has the same epoch.
TEST_F(RestoredAdmissionsTest, ARestartOfRedisRequiresANewRestore) {  // A2, A3
  MarkRestored(server);
  const AdmitRequest lost = ARequest();
  EXPECT_EQ(CancelError(lost), ErrorCode::kNotFound);
  redis.Kill();
  redis.Start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Admit(ARequest()).error().code, ErrorCode::kRedisUnavailable);
    EXPECT_EQ(CancelError(lost), ErrorCode::kRedisUnavailable);
  }
  EXPECT_EQ(restarts, 1);
  EXPECT_FALSE(restorer.AdoptEpoch()->restored);
  MarkRestored(server);
  EXPECT_TRUE(Admit(ARequest()));
  EXPECT_EQ(CancelError(lost), ErrorCode::kNotFound);
}

TEST_F(RestoredAdmissionsTest, ARestartOfRedisInvalidatesARestoreInProgress) {  // A2, A3
  const StoreEpoch epoch = Restore(ARequest());
  redis.Kill();
  redis.Start();
  ASSERT_TRUE(restorer.MarkRestored(epoch));
  EXPECT_FALSE(restorer.AdoptEpoch()->restored);
}

TEST_F(RestoredAdmissionsTest, ARestoredAlertExpires48HoursAfterItsExpireTime) {
  const AdmitRequest lost = ARequest();
  Restore(lost);
  const std::int64_t expected = ToUnixMicros(lost.expire_time + std::chrono::hours(48)) / 1000;
  const Keys keys("tocsin");
  for (const std::string& key :
       {keys.Alert(lost.alert_id), keys.Idempotency(lost.idempotency_digest)})
    EXPECT_NEAR(static_cast<double>(redis.Execute({"PEXPIRETIME", key}).integer),
                static_cast<double>(expected), 1.0);
}

// The first request was not published, and its withdrawal was lost.
TEST_F(RestoredAdmissionsTest, AClaimTakesTheKeyOfAnAlertThatWasNeverPublished) {  // A3, R6
  MarkRestored(server);
  const AdmitRequest never_published = ARequest();
  ASSERT_TRUE(Admit(never_published));
  AdmitRequest emergency = ARequest(never_published.idempotency_digest);
  emergency.request_digest = std::string(32, 'e');
  EXPECT_EQ(claims.Claim(AClaim(emergency))->state, ClaimReply::State::kGranted);
  EXPECT_EQ(claims.Claim(AClaim(never_published))->state, ClaimReply::State::kStopped);
  const auto repeated = Admit(emergency);
  ASSERT_TRUE(repeated);
  EXPECT_EQ(repeated->state, Admission::State::kReplay);
  EXPECT_EQ(Admit(never_published)->state, Admission::State::kConflict);
}

TEST_F(RestoredAdmissionsTest, AClaimIsRejectedIfItsKeyBelongsToARestoredAlert) {  // A3
  const AdmitRequest lost = ARequest();
  Restore(lost);
  const AdmitRequest other = ARequest(lost.idempotency_digest);
  EXPECT_EQ(claims.Claim(AClaim(other))->state, ClaimReply::State::kStopped);
  EXPECT_EQ(claims.Claim(AClaim(lost))->state, ClaimReply::State::kGranted);
}

}  // namespace
}  // namespace tocsin::redis
