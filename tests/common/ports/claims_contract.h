// The contract of Claims, but for Resolve(). A world provides the port and what the port cannot do:
//   Claims& claims();
//   T Wait(Task<T> task);  // runs it to its end
//   void Mark(const std::string& alert_id, const std::string& reason);  // CANCELLED, ACKNOWLEDGED
//   void LoseData();
//   void WaitForLease(Micros lease, std::function<bool()> lapsed);  // until `lapsed`
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/async/task.h"
#include "common/async/task_group.h"
#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"

namespace tocsin {

template <typename World>
class ClaimsContract : public ::testing::Test {
 protected:
  static constexpr Micros kLongLease = std::chrono::seconds(35);
  static constexpr Micros kShortLease = std::chrono::milliseconds(30);

  static v1::AttemptRef AnAttempt(std::int32_t step = 1, std::int32_t number = 1) {
    v1::AttemptRef attempt;
    attempt.set_alert_id(MakeUuidV5(RandomBytes(16)));
    attempt.set_step(step);
    attempt.set_attempt(number);
    return attempt;
  }
  static ClaimRequest ARequest(const v1::AttemptRef& attempt, Micros lease = kLongLease) {
    return {.attempt = attempt,
            .client_id = "client",
            .owner = "worker-1/7",
            .lease = lease,
            .not_attempted = {},
            .work = AWork(attempt),
            .duplicate_key = "a recipient, a text " + attempt.alert_id(),
            .expire_time = SystemClock().Now() + std::chrono::hours(1)};
  }
  // Of an alert that was accepted with this idempotency key.
  static ClaimRequest AKeyedRequest(const std::string& key) {
    ClaimRequest request = ARequest(AnAttempt());
    request.accepted = AcceptedAlert{.alert_id = request.attempt.alert_id(),
                                     .client_id = request.client_id,
                                     .idempotency_digest = key,
                                     .request_digest = RandomBytes(32),
                                     .create_time = SystemClock().Now(),
                                     .expire_time = request.expire_time,
                                     .position = {}};
    return request;
  }
  static std::string AWork(const v1::AttemptRef& attempt) {
    records::v1::WorkRecord work;
    *work.mutable_attempt() = attempt;
    work.set_body_digest(std::string("digest\0digest", 13));
    return work.SerializeAsString();
  }
  static records::v1::AttemptResult Unresolved() {
    records::v1::AttemptResult result = AnAttemptResult(records::v1::ATTEMPT_OUTCOME_UNRESOLVED);
    result.set_status(v1::ATTEMPT_STATUS_FAILED);
    result.set_reason("IN_DOUBT");
    result.set_resolved_by(v1::RESOLVED_BY_POLICY);
    return result;
  }
  static records::v1::AttemptResult AnAttemptResult(records::v1::AttemptOutcome outcome,
                                                    const std::string& sid = {}) {
    records::v1::AttemptResult result;
    result.set_outcome(outcome);
    result.set_provider_sid(sid);
    result.set_begin_time_us(1'767'225'600'000'001);
    return result;
  }
  static records::v1::AttemptResult Accepted(const std::string& sid) {
    return AnAttemptResult(records::v1::ATTEMPT_OUTCOME_ACCEPTED, sid);
  }
  static std::string ASid() { return "SM" + MakeUuidV5(RandomBytes(16)); }

  template <typename T>
  T Wait(Task<T> task) {
    return world.Wait(std::move(task));
  }
  ClaimReply Claim(const ClaimRequest& request) {
    auto claim = Wait(world.claims().Claim(request));
    EXPECT_TRUE(claim) << claim.error().message;
    return claim ? *claim : ClaimReply();
  }
  std::optional<records::v1::AttemptResult> SaveResult(const v1::AttemptRef& attempt,
                                                       std::uint64_t fence,
                                                       const records::v1::AttemptResult& result) {
    auto stored = Wait(world.claims().SaveResult(attempt, fence, result));
    EXPECT_TRUE(stored) << stored.error().message;
    return stored ? *stored : std::nullopt;
  }
  void WaitUntilLapsed(const ClaimRequest& request) {
    world.WaitForLease(request.lease,
                       [&] { return Claim(request).state == ClaimReply::State::kLapsed; });
  }

  World world;
};

TYPED_TEST_SUITE_P(ClaimsContract);

TYPED_TEST_P(ClaimsContract, GrantsANewAttemptOnceAndThenReportsBusy) {
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const ClaimReply first = this->Claim(request);
  EXPECT_EQ(first.state, ClaimReply::State::kGranted);
  EXPECT_GT(first.fence, 0u);
  const ClaimReply second = this->Claim(request);
  EXPECT_EQ(second.state, ClaimReply::State::kBusy);
  EXPECT_GT(second.lease_left.count(), 0);
  EXPECT_LE(second.lease_left, request.lease);
  EXPECT_EQ(second.begin_time, first.begin_time);
}

TYPED_TEST_P(ClaimsContract, GrantsOneOfManyConcurrentClaims) {
  constexpr int kClaims = 8;
  for (int round = 0; round < 20; ++round) {
    const ClaimRequest request = this->ARequest(this->AnAttempt());
    int granted = 0;
    const auto claim = [&]() -> Task<void> {
      const auto reply = co_await this->world.claims().Claim(request);
      granted += reply && reply->state == ClaimReply::State::kGranted ? 1 : 0;
    };
    TaskGroup others;
    for (int i = 1; i < kClaims; ++i) others.Start(claim());
    // The last one has its reply after the others.
    this->Claim(request);
    EXPECT_EQ(others.Size(), 0u);
    EXPECT_EQ(granted, 1);
  }
}

TYPED_TEST_P(ClaimsContract, ReportsAnExpiredLeaseAsLapsedAndNeverGrantsItAgain) {
  const ClaimRequest request = this->ARequest(this->AnAttempt(), this->kShortLease);
  const ClaimReply first = this->Claim(request);
  this->WaitUntilLapsed(request);
  const ClaimReply later = this->Claim(request);
  EXPECT_EQ(later.state, ClaimReply::State::kLapsed);
  EXPECT_EQ(later.fence, first.fence);
  EXPECT_EQ(later.begin_time, first.begin_time);
}

TYPED_TEST_P(ClaimsContract, GrantsAReleasedAttemptAgainWithAHigherFence) {
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const ClaimReply first = this->Claim(request);
  EXPECT_TRUE(this->Wait(this->world.claims().Release(request.attempt, first.fence)));
  const ClaimReply second = this->Claim(request);
  EXPECT_EQ(second.state, ClaimReply::State::kGranted);
  EXPECT_GT(second.fence, first.fence);
}

TYPED_TEST_P(ClaimsContract, IgnoresAReleaseWithAnOldFence) {
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const ClaimReply first = this->Claim(request);
  EXPECT_TRUE(this->Wait(this->world.claims().Release(request.attempt, first.fence)));
  this->Claim(request);
  EXPECT_TRUE(this->Wait(this->world.claims().Release(request.attempt, first.fence)));
  EXPECT_EQ(this->Claim(request).state, ClaimReply::State::kBusy);
}

TYPED_TEST_P(ClaimsContract, IgnoresAReleaseAfterTheResult) {
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const ClaimReply claim = this->Claim(request);
  this->SaveResult(request.attempt, claim.fence, this->Accepted(this->ASid()));
  EXPECT_TRUE(this->Wait(this->world.claims().Release(request.attempt, claim.fence)));
  EXPECT_EQ(this->Claim(request).state, ClaimReply::State::kDone);
}

TYPED_TEST_P(ClaimsContract, ReturnsTheStoredResultToLaterClaims) {
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const ClaimReply claim = this->Claim(request);
  records::v1::AttemptResult result = this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_REFUSED);
  result.set_provider_code(21610);
  EXPECT_EQ(this->SaveResult(request.attempt, claim.fence, result)->SerializeAsString(),
            result.SerializeAsString());
  const ClaimReply later = this->Claim(request);
  EXPECT_EQ(later.state, ClaimReply::State::kDone);
  EXPECT_EQ(later.result->SerializeAsString(), result.SerializeAsString());
}

TYPED_TEST_P(ClaimsContract, SavesOnlyAcceptedWithAnOldFence) {
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const ClaimReply first = this->Claim(request);
  EXPECT_TRUE(this->Wait(this->world.claims().Release(request.attempt, first.fence)));
  this->Claim(request);
  const auto refused = this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_REFUSED);
  EXPECT_FALSE(this->SaveResult(request.attempt, first.fence, refused));
  EXPECT_EQ(this->Claim(request).state, ClaimReply::State::kBusy);
  EXPECT_EQ(this->SaveResult(request.attempt, first.fence, this->Accepted(this->ASid()))->outcome(),
            records::v1::ATTEMPT_OUTCOME_ACCEPTED);
}

TYPED_TEST_P(ClaimsContract, ReplacesAnUncertainResultByALateAccepted) {
  for (const records::v1::AttemptResult& before :
       {this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_IN_DOUBT),
        this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_NOT_SENT), this->Unresolved()}) {
    const ClaimRequest request = this->ARequest(this->AnAttempt());
    const ClaimReply claim = this->Claim(request);
    EXPECT_EQ(this->SaveResult(request.attempt, claim.fence, before)->outcome(), before.outcome());
    const std::string sid = this->ASid();
    EXPECT_EQ(this->SaveResult(request.attempt, kNoFence, this->Accepted(sid))->provider_sid(),
              sid);
    EXPECT_EQ(this->Claim(request).result->provider_sid(), sid);
  }
}

TYPED_TEST_P(ClaimsContract, NeverReplacesACertainResult) {
  for (const records::v1::AttemptResult& before :
       {this->Accepted(this->ASid()), this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_REFUSED),
        this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED)}) {
    const ClaimRequest request = this->ARequest(this->AnAttempt());
    const ClaimReply claim = this->Claim(request);
    this->SaveResult(request.attempt, claim.fence, before);
    for (const records::v1::AttemptResult& late :
         {this->Accepted(this->ASid()),
          this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_IN_DOUBT),
          this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_NOT_SENT)})
      EXPECT_EQ(this->SaveResult(request.attempt, claim.fence, late)->SerializeAsString(),
                before.SerializeAsString());
  }
}

// Another worker, without the store, started it by the order of the log.
TYPED_TEST_P(ClaimsContract, ReplacesAnEndWithoutAPostByAnAcceptance) {  // R1, R4
  for (const bool by_mark : {false, true}) {
    ClaimRequest request = this->ARequest(this->AnAttempt());
    if (by_mark)
      this->world.Mark(request.attempt.alert_id(), "CANCELLED");
    else
      request.not_attempted = this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
    this->Claim(request);
    const auto accepted = this->Accepted(this->ASid());
    EXPECT_EQ(this->SaveResult(request.attempt, kNoFence, accepted)->provider_sid(),
              accepted.provider_sid());
  }
}

TYPED_TEST_P(ClaimsContract, SavesInDoubtForAnotherHolderOnlyAfterItsLease) {
  const auto in_doubt = this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  const ClaimRequest live = this->ARequest(this->AnAttempt());
  this->Claim(live);
  EXPECT_FALSE(this->SaveResult(live.attempt, kNoFence, in_doubt));
  const ClaimRequest lapsed = this->ARequest(this->AnAttempt(), this->kShortLease);
  this->Claim(lapsed);
  this->WaitUntilLapsed(lapsed);
  EXPECT_EQ(this->SaveResult(lapsed.attempt, kNoFence, in_doubt)->outcome(),
            records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  EXPECT_EQ(this->Claim(lapsed).state, ClaimReply::State::kDone);
}

TYPED_TEST_P(ClaimsContract, RefusesASidOfAnotherAttempt) {
  const std::string sid = this->ASid();
  const v1::AttemptRef first = this->AnAttempt();
  v1::AttemptRef second = first;
  second.set_attempt(2);
  this->SaveResult(first, this->Claim(this->ARequest(first)).fence, this->Accepted(sid));
  const ClaimReply claim = this->Claim(this->ARequest(second));
  const auto stored =
      this->Wait(this->world.claims().SaveResult(second, claim.fence, this->Accepted(sid)));
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, ErrorCode::kDataCorrupted);
  EXPECT_EQ(this->Claim(this->ARequest(second)).state, ClaimReply::State::kBusy);
}

TYPED_TEST_P(ClaimsContract, EndsAnAttemptThatNeverStarted) {
  ClaimRequest request = this->ARequest(this->AnAttempt());
  request.not_attempted = this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
  request.not_attempted->set_reason("EXPIRED");
  EXPECT_EQ(this->Claim(request).state, ClaimReply::State::kDone);
  const ClaimReply later = this->Claim(this->ARequest(request.attempt));
  EXPECT_EQ(later.state, ClaimReply::State::kDone);
  EXPECT_EQ(later.result->reason(), "EXPIRED");
}

TYPED_TEST_P(ClaimsContract, KeepsAStartedAttemptDespiteAnEndAndAMark) {
  ClaimRequest request = this->ARequest(this->AnAttempt());
  this->Claim(request);
  this->world.Mark(request.attempt.alert_id(), "CANCELLED");
  request.not_attempted = this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
  EXPECT_EQ(this->Claim(request).state, ClaimReply::State::kBusy);
}

TYPED_TEST_P(ClaimsContract, StopsAnAttemptWhoseAlertWasMarkedBefore) {
  for (const std::string reason : {"CANCELLED", "ACKNOWLEDGED"}) {
    const ClaimRequest request = this->ARequest(this->AnAttempt());
    this->world.Mark(request.attempt.alert_id(), reason);
    const ClaimReply stopped = this->Claim(request);
    EXPECT_EQ(stopped.state, ClaimReply::State::kStopped);
    EXPECT_EQ(stopped.result->outcome(), records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
    EXPECT_EQ(stopped.result->reason(), reason);
    const ClaimReply later = this->Claim(request);
    EXPECT_EQ(later.state, ClaimReply::State::kDone);
    EXPECT_EQ(later.result->SerializeAsString(), stopped.result->SerializeAsString());
  }
}

TYPED_TEST_P(ClaimsContract, RejectsAnAttemptWhoseKeyBelongsToAnotherAlert) {  // A3
  const std::string key = RandomBytes(32);
  const ClaimRequest first = this->AKeyedRequest(key);
  EXPECT_EQ(this->Claim(first).state, ClaimReply::State::kGranted);
  const ClaimRequest second = this->AKeyedRequest(key);
  const ClaimReply stopped = this->Claim(second);
  EXPECT_EQ(stopped.state, ClaimReply::State::kStopped);
  EXPECT_EQ(stopped.result->outcome(), records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
  EXPECT_EQ(stopped.result->status(), v1::ATTEMPT_STATUS_REJECTED);
  EXPECT_EQ(stopped.result->reason(), "IDEMPOTENCY_CONFLICT");
  const ClaimReply later = this->Claim(second);
  EXPECT_EQ(later.state, ClaimReply::State::kDone);
  EXPECT_EQ(later.result->SerializeAsString(), stopped.result->SerializeAsString());
  EXPECT_EQ(this->Claim(first).state, ClaimReply::State::kBusy);
  EXPECT_EQ(this->Claim(this->AKeyedRequest(RandomBytes(32))).state, ClaimReply::State::kGranted);
}

TYPED_TEST_P(ClaimsContract, SeparatesAttemptsAndSteps) {
  v1::AttemptRef attempt = this->AnAttempt(1, 1);
  this->Claim(this->ARequest(attempt));
  attempt.set_attempt(2);
  EXPECT_EQ(this->Claim(this->ARequest(attempt)).state, ClaimReply::State::kGranted);
  attempt.set_step(2);
  EXPECT_EQ(this->Claim(this->ARequest(attempt)).state, ClaimReply::State::kGranted);
}

TYPED_TEST_P(ClaimsContract, PrefersTheResponseToAnEarlierCallback) {
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const ClaimReply claim = this->Claim(request);
  const std::string sid = this->ASid();
  records::v1::AttemptResult callback = this->Accepted(sid);
  callback.set_resolved_by(v1::RESOLVED_BY_CALLBACK);
  this->SaveResult(request.attempt, kNoFence, callback);
  EXPECT_EQ(this->SaveResult(request.attempt, claim.fence, this->Accepted(sid))->resolved_by(),
            v1::RESOLVED_BY_UNSPECIFIED);
  EXPECT_EQ(this->SaveResult(request.attempt, kNoFence, callback)->resolved_by(),
            v1::RESOLVED_BY_UNSPECIFIED);
}

TYPED_TEST_P(ClaimsContract, KeepsThatAPersonAnswered) {  // V3
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const ClaimReply claim = this->Claim(request);
  const std::string sid = this->ASid();
  this->SaveResult(request.attempt, claim.fence, this->Accepted(sid));
  records::v1::AttemptResult callback = this->Accepted(sid);
  callback.set_resolved_by(v1::RESOLVED_BY_CALLBACK);
  for (const auto status : {v1::ATTEMPT_STATUS_ANSWERED_HUMAN, v1::ATTEMPT_STATUS_NO_ANSWER}) {
    callback.set_status(status);
    EXPECT_EQ(this->SaveResult(request.attempt, kNoFence, callback)->status(),
              v1::ATTEMPT_STATUS_ANSWERED_HUMAN);
  }
}

TYPED_TEST_P(ClaimsContract, StoresTheWorkOfTheNewestAttemptOfAStep) {
  v1::AttemptRef attempt = this->AnAttempt();
  this->Claim(this->ARequest(attempt));
  EXPECT_EQ(this->Wait(this->world.claims().FindWork(attempt))->value(), this->AWork(attempt));
  v1::AttemptRef next = attempt;
  next.set_attempt(2);
  EXPECT_FALSE(this->Wait(this->world.claims().FindWork(next))->has_value());
  this->Claim(this->ARequest(next));
  EXPECT_EQ(this->Wait(this->world.claims().FindWork(next))->value(), this->AWork(next));
  EXPECT_FALSE(this->Wait(this->world.claims().FindWork(attempt))->has_value());
}

TYPED_TEST_P(ClaimsContract, SyncsAStartAndAResultFromTheLog) {  // R4, R6
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const WallTime now = SystemClock().Now();
  KnownAttempt known{.name = request.attempt,
                     .client_id = "client",
                     .time = now,
                     .lease_until = now + std::chrono::hours(24 * 365),
                     .result = {}};
  ASSERT_TRUE(this->Wait(this->world.claims().Sync(known)));
  EXPECT_EQ(this->Claim(request).state, ClaimReply::State::kBusy);
  known.lease_until = {};
  known.result = this->Accepted(this->ASid());
  ASSERT_TRUE(this->Wait(this->world.claims().Sync(known)));
  const ClaimReply claim = this->Claim(request);
  EXPECT_EQ(claim.state, ClaimReply::State::kDone);
  EXPECT_EQ(claim.result->provider_sid(), known.result.provider_sid());
}

TYPED_TEST_P(ClaimsContract, SyncsTheFirstStartAndTheLastLeaseOfAClaimedAttempt) {  // R4
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const ClaimReply granted = this->Claim(request);
  const KnownAttempt known{.name = request.attempt,
                           .client_id = "client",
                           .time = granted.begin_time - std::chrono::seconds(20),
                           .lease_until = granted.begin_time + std::chrono::hours(1),
                           .result = {}};
  ASSERT_TRUE(this->Wait(this->world.claims().Sync(known)));
  const ClaimReply claim = this->Claim(request);
  EXPECT_EQ(claim.state, ClaimReply::State::kBusy);
  EXPECT_EQ(claim.begin_time, known.time);
  EXPECT_GT(claim.lease_left, std::chrono::minutes(59));
  EXPECT_EQ(claim.fence, granted.fence);
}

TYPED_TEST_P(ClaimsContract, ReturnsTheTimeOfTheFirstReportOfAFailure) {  // W5
  const v1::AttemptRef attempt = this->AnAttempt();
  const WallTime first = SystemClock().Now();
  for (const Micros later :
       {std::chrono::seconds(0), std::chrono::seconds(60), std::chrono::seconds(-60)})
    EXPECT_EQ(this->Wait(this->world.claims().NoteUndelivered(attempt, first + later)), first);
  v1::AttemptRef next = attempt;
  next.set_attempt(attempt.attempt() + 1);
  const WallTime other = first + std::chrono::seconds(60);
  EXPECT_EQ(this->Wait(this->world.claims().NoteUndelivered(next, other)), other);
}

TYPED_TEST_P(ClaimsContract, ReturnsThatAPersonHadAnsweredAtTheFirstReport) {  // V5, W5
  const v1::AttemptRef attempt = this->AnAttempt();
  const WallTime later = SystemClock().Now();
  auto& claims = this->world.claims();
  EXPECT_EQ(this->Wait(claims.NoteUndelivered(attempt, std::nullopt)), std::nullopt);
  EXPECT_EQ(this->Wait(claims.NoteUndelivered(attempt, later)), std::nullopt);
  v1::AttemptRef next = attempt;
  next.set_attempt(attempt.attempt() + 1);
  EXPECT_EQ(this->Wait(claims.NoteUndelivered(next, later)), later);
  EXPECT_EQ(this->Wait(claims.NoteUndelivered(next, std::nullopt)), later);
}

// The order in which the log is read does not matter.
TYPED_TEST_P(ClaimsContract, SyncsTheEarliestTimeOfAFailure) {  // W5
  KnownAttempt known{.name = this->AnAttempt(),
                     .client_id = "client",
                     .time = SystemClock().Now(),
                     .lease_until = {},
                     .result = this->Accepted(this->ASid()),
                     .ended = true};
  const WallTime first = known.time;
  for (const Micros later :
       {std::chrono::seconds(1), std::chrono::seconds(0), std::chrono::seconds(2)}) {
    known.undelivered_time = first + later;
    ASSERT_TRUE(this->Wait(this->world.claims().Sync(known)));
  }
  known.undelivered_time.reset();
  ASSERT_TRUE(this->Wait(this->world.claims().Sync(known)));
  EXPECT_EQ(this->Wait(
                this->world.claims().NoteUndelivered(known.name, first + std::chrono::seconds(60))),
            first);
}

TYPED_TEST_P(ClaimsContract, SyncsAMark) {  // R1
  for (const bool acknowledged : {false, true}) {
    const ClaimRequest request = this->ARequest(this->AnAttempt());
    KnownAttempt known{.name = {},
                       .client_id = "client",
                       .time = SystemClock().Now(),
                       .lease_until = {},
                       .result = {},
                       .mark = KnownMark{.kind = acknowledged ? KnownMark::Kind::kAcknowledged
                                                              : KnownMark::Kind::kCancelled}};
    known.name.set_alert_id(request.attempt.alert_id());
    ASSERT_TRUE(this->Wait(this->world.claims().Sync(known)));
    const ClaimReply claim = this->Claim(request);
    EXPECT_EQ(claim.state, ClaimReply::State::kStopped);
    EXPECT_EQ(claim.result->reason(), acknowledged ? "ACKNOWLEDGED" : "CANCELLED");
  }
}

TYPED_TEST_P(ClaimsContract, FailsAfterTheStoreLostItsData) {
  const ClaimRequest request = this->ARequest(this->AnAttempt());
  const ClaimReply claim = this->Claim(request);
  this->world.LoseData();
  const auto claimed = this->Wait(this->world.claims().Claim(request));
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error().code, ErrorCode::kRedisUnavailable);
  EXPECT_FALSE(this->Wait(this->world.claims().Release(request.attempt, claim.fence)));
  EXPECT_FALSE(this->Wait(
      this->world.claims().SaveResult(request.attempt, claim.fence, this->Accepted("SM1"))));
}

REGISTER_TYPED_TEST_SUITE_P(
    ClaimsContract, GrantsANewAttemptOnceAndThenReportsBusy, GrantsOneOfManyConcurrentClaims,
    ReportsAnExpiredLeaseAsLapsedAndNeverGrantsItAgain, GrantsAReleasedAttemptAgainWithAHigherFence,
    IgnoresAReleaseWithAnOldFence, IgnoresAReleaseAfterTheResult,
    ReturnsTheStoredResultToLaterClaims, SavesOnlyAcceptedWithAnOldFence,
    ReplacesAnUncertainResultByALateAccepted, NeverReplacesACertainResult,
    ReplacesAnEndWithoutAPostByAnAcceptance, SavesInDoubtForAnotherHolderOnlyAfterItsLease,
    RefusesASidOfAnotherAttempt, EndsAnAttemptThatNeverStarted,
    KeepsAStartedAttemptDespiteAnEndAndAMark, StopsAnAttemptWhoseAlertWasMarkedBefore,
    RejectsAnAttemptWhoseKeyBelongsToAnotherAlert, SeparatesAttemptsAndSteps,
    PrefersTheResponseToAnEarlierCallback, KeepsThatAPersonAnswered,
    StoresTheWorkOfTheNewestAttemptOfAStep, SyncsAStartAndAResultFromTheLog,
    SyncsTheFirstStartAndTheLastLeaseOfAClaimedAttempt, ReturnsTheTimeOfTheFirstReportOfAFailure,
    ReturnsThatAPersonHadAnsweredAtTheFirstReport, SyncsTheEarliestTimeOfAFailure, SyncsAMark,
    FailsAfterTheStoreLostItsData);

}  // namespace tocsin
