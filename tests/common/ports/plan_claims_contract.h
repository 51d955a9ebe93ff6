// The contract of Claims for alerts with a plan. A world provides what that of claims_contract.h
// and that of unreconciled_attempts_contract.h do.
#pragma once

#include <string>
#include <vector>

#include "common/domain/plan/plan.h"
#include "common/ports/unreconciled_attempts.h"
#include "tests/common/ports/claims_contract.h"

namespace tocsin {

template <typename World>
class PlanClaimsContract : public ClaimsContract<World> {
 protected:
  using Base = ClaimsContract<World>;

  static PlanCondition APlan(const std::string& person = "ann",
                             v1::Reach goal = v1::REACH_ACKNOWLEDGED, std::int32_t persons = 1) {
    return {.goal = goal,
            .person_count = goal == v1::REACH_ACKNOWLEDGED ? persons : 0,
            .person = person,
            .before = {},
            .wait = {}};
  }
  // Of the first attempt of a step of the alert.
  static ClaimRequest OfStep(const std::string& alert_id, std::int32_t step, PlanCondition plan) {
    v1::AttemptRef attempt;
    attempt.set_alert_id(alert_id);
    attempt.set_step(step);
    attempt.set_attempt(1);
    ClaimRequest request = Base::ARequest(attempt);
    request.plan = std::move(plan);
    return request;
  }
  // After the steps `before`, an hour later at the latest.
  static PlanCondition After(PlanCondition plan, std::vector<std::int32_t> before) {
    plan.before = std::move(before);
    plan.wait = std::chrono::hours(1);
    return plan;
  }
  static std::string AnAlert() { return MakeUuidV5(RandomBytes(16)); }

  void Sync(const std::string& alert_id, KnownMark mark) {
    KnownAttempt known{.name = {},
                       .client_id = "client",
                       .time = SystemClock().Now(),
                       .lease_until = {},
                       .result = {},
                       .mark = std::move(mark)};
    known.name.set_alert_id(alert_id);
    ASSERT_TRUE(this->Wait(this->world.claims().Sync(known)));
  }
  void Acknowledge(const std::string& alert_id, const std::string& person) {
    Sync(alert_id, {.kind = KnownMark::Kind::kAcknowledged,
                    .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                    .person = person});
  }
  PlanEnd EndPlan(const ClaimRequest& request) {
    const auto end = this->Wait(
        this->world.claims().EndPlan(request.attempt, *request.plan, SystemClock().Now()));
    EXPECT_TRUE(end);
    return end ? *end : PlanEnd();
  }
  // Since when no step is left.
  std::optional<WallTime> Fail(const ClaimRequest& request,
                               const std::vector<std::int32_t>& last_targets = {},
                               WallTime time = WallTime(std::chrono::seconds(1'000))) {
    const auto exhausted =
        this->Wait(this->world.claims().NoteTargetFailed(request.attempt, last_targets, time));
    EXPECT_TRUE(exhausted);
    return exhausted ? *exhausted : std::nullopt;
  }
  PlanEnd::State StateAtEnd(const ClaimRequest& request) { return EndPlan(request).state; }
  // The reason why the attempt is not made.
  std::string StopReason(const ClaimRequest& request) {
    const ClaimReply claim = this->Claim(request);
    return claim.state == ClaimReply::State::kStopped ? claim.result->reason() : "not stopped";
  }
  void SaveCall(const ClaimRequest& request, std::uint64_t fence, const std::string& sid,
                v1::AttemptStatus status = v1::ATTEMPT_STATUS_UNSPECIFIED,
                v1::AnsweredBy answered_by = v1::ANSWERED_BY_UNSPECIFIED) {
    records::v1::AttemptResult result = Base::Accepted(sid);
    result.set_answered_by(answered_by);
    if (status != v1::ATTEMPT_STATUS_UNSPECIFIED) {
      result.set_status(status);
      result.set_resolved_by(v1::RESOLVED_BY_CALLBACK);
    }
    this->SaveResult(request.attempt, fence, result);
  }
  std::vector<std::string> CallsToEnd(const std::string& alert_id) {
    const auto calls = this->Wait(this->world.claims().FindCallsToEnd(alert_id));
    EXPECT_TRUE(calls);
    std::vector<std::string> sids;
    for (const auto& call : calls ? *calls : std::vector<records::v1::AttemptResult>())
      sids.push_back(call.provider_sid());
    return sids;
  }
};

TYPED_TEST_SUITE_P(PlanClaimsContract);

TYPED_TEST_P(PlanClaimsContract, AStepIsEarlyUntilItsWaitIsOver) {
  const std::string alert = this->AnAlert();
  const ClaimRequest second = this->OfStep(alert, 2, this->After(this->APlan(), {1}));
  EXPECT_EQ(this->Claim(second).state, ClaimReply::State::kEarly) << "no step has started";
  this->Claim(this->OfStep(alert, 1, this->APlan()));
  const ClaimReply claim = this->Claim(second);
  EXPECT_EQ(claim.state, ClaimReply::State::kEarly);
  EXPECT_GT(claim.lease_left, std::chrono::minutes(59));
  EXPECT_LE(claim.lease_left, std::chrono::hours(1));
}

TYPED_TEST_P(PlanClaimsContract, AStepStartsWhenItsWaitIsOver) {
  const std::string alert = this->AnAlert();
  this->Claim(this->OfStep(alert, 1, this->APlan()));
  PlanCondition plan = this->After(this->APlan(), {1});
  plan.wait = Micros(1);
  const ClaimRequest second = this->OfStep(alert, 2, plan);
  this->world.WaitForLease(std::chrono::milliseconds(1), [&] {
    return this->Claim(second).state == ClaimReply::State::kGranted;
  });
}

TYPED_TEST_P(PlanClaimsContract, AStepStartsWhenAllTargetsOfTheStepBeforeHaveFailed) {
  const std::string alert = this->AnAlert();
  const ClaimRequest ann = this->OfStep(alert, 1, this->APlan("ann"));
  const ClaimRequest ben = this->OfStep(alert, 2, this->APlan("ben"));
  const ClaimRequest cleo = this->OfStep(alert, 3, this->After(this->APlan("cleo"), {1, 2}));
  this->Claim(ann);
  this->Claim(ben);
  this->Fail(ann);
  EXPECT_EQ(this->Claim(cleo).state, ClaimReply::State::kEarly);
  this->Fail(ben);
  EXPECT_EQ(this->Claim(cleo).state, ClaimReply::State::kGranted);
}

TYPED_TEST_P(PlanClaimsContract, ATargetThatNeverStartedHasFailed) {
  const std::string alert = this->AnAlert();
  ClaimRequest first = this->OfStep(alert, 1, this->APlan());
  first.not_attempted = this->AnAttemptResult(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
  this->Claim(first);
  EXPECT_EQ(this->Claim(this->OfStep(alert, 2, this->After(this->APlan(), {1}))).state,
            ClaimReply::State::kGranted);
}

TYPED_TEST_P(PlanClaimsContract, AReleasedStartIsNoStart) {
  const std::string alert = this->AnAlert();
  const ClaimRequest first = this->OfStep(alert, 1, this->APlan());
  const ClaimReply claim = this->Claim(first);
  ASSERT_TRUE(this->Wait(this->world.claims().Release(first.attempt, claim.fence)));
  PlanCondition plan = this->After(this->APlan(), {1});
  plan.wait = std::chrono::seconds(30);
  EXPECT_EQ(this->Claim(this->OfStep(alert, 2, plan)).state, ClaimReply::State::kEarly);
}

TYPED_TEST_P(PlanClaimsContract, AQuorumCountsPersons) {
  const std::string alert = this->AnAlert();
  const auto of = [&](std::int32_t step, const std::string& person) {
    return this->OfStep(alert, step, this->APlan(person, v1::REACH_ACKNOWLEDGED, 2));
  };
  EXPECT_EQ(this->Claim(of(1, "ann")).state, ClaimReply::State::kGranted);
  this->Acknowledge(alert, "ann");
  this->Acknowledge(alert, "ann");
  EXPECT_EQ(this->StopReason(of(2, "ann")), kPersonDoneReason);
  EXPECT_EQ(this->Claim(of(3, "ben")).state, ClaimReply::State::kGranted);
  this->Acknowledge(alert, "ben");
  EXPECT_EQ(this->StopReason(of(4, "cleo")), kAcknowledgedReason);
}

TYPED_TEST_P(PlanClaimsContract, AnAcknowledgementBeforeTheFirstClaimCountsOnePerson) {
  const std::string alert = this->AnAlert();
  this->Acknowledge(alert, "ann");
  EXPECT_EQ(
      this->Claim(this->OfStep(alert, 1, this->APlan("ben", v1::REACH_ACKNOWLEDGED, 2))).state,
      ClaimReply::State::kGranted);
  this->Acknowledge(alert, "ben");
  EXPECT_EQ(
      this->StopReason(this->OfStep(alert, 2, this->APlan("cleo", v1::REACH_ACKNOWLEDGED, 2))),
      kAcknowledgedReason);
}

// The log repeats its events: after a kill, and when the store is restored.
TYPED_TEST_P(PlanClaimsContract, AnActorBeforeTheFirstClaimCountsOnce) {
  const std::string alert = this->AnAlert();
  const KnownMark mark{.kind = KnownMark::Kind::kAcknowledged,
                       .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                       .actor_id = "dispatcher"};
  const auto of = [&](std::int32_t step) {
    return this->OfStep(alert, step, this->APlan("ann", v1::REACH_ACKNOWLEDGED, 2));
  };
  this->Sync(alert, mark);
  EXPECT_EQ(this->Claim(of(1)).state, ClaimReply::State::kGranted);
  this->Sync(alert, mark);
  EXPECT_EQ(this->Claim(of(2)).state, ClaimReply::State::kGranted);
  EXPECT_EQ(this->StateAtEnd(of(2)), PlanEnd::State::kGoalMissed);
}

TYPED_TEST_P(PlanClaimsContract, ActorsBeforeTheFirstClaimCountEach) {
  const std::string alert = this->AnAlert();
  for (const char* actor : {"dispatcher", "nurse"})
    this->Sync(alert, {.kind = KnownMark::Kind::kAcknowledged,
                       .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                       .actor_id = actor});
  EXPECT_EQ(this->StopReason(this->OfStep(alert, 1, this->APlan("ann", v1::REACH_ACKNOWLEDGED, 2))),
            kAcknowledgedReason);
}

TYPED_TEST_P(PlanClaimsContract, APersonWhoDeclinesIsNotContactedAgainAndTheNextStepStarts) {
  const std::string alert = this->AnAlert();
  this->Claim(this->OfStep(alert, 1, this->APlan("ann")));
  this->Sync(alert, {.kind = KnownMark::Kind::kDeclined,
                     .method = v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS,
                     .step = 1,
                     .person = "ann"});
  EXPECT_EQ(this->StopReason(this->OfStep(alert, 2, this->After(this->APlan("ann"), {1}))),
            kPersonDoneReason);
  EXPECT_EQ(this->Claim(this->OfStep(alert, 3, this->After(this->APlan("ben"), {2}))).state,
            ClaimReply::State::kGranted);
}

TYPED_TEST_P(PlanClaimsContract, AllTargetsOfAPersonWhoDeclinesHaveFailed) {
  const std::string alert = this->AnAlert();
  this->Claim(this->OfStep(alert, 1, this->APlan("ann")));
  this->Claim(this->OfStep(alert, 2, this->APlan("ann")));
  this->Claim(this->OfStep(alert, 3, this->APlan("ben")));
  const ClaimRequest cleo = this->OfStep(alert, 4, this->After(this->APlan("cleo"), {1, 2, 3}));
  const auto decline = [&](std::int32_t step, const std::string& person) {
    this->Sync(alert, {.kind = KnownMark::Kind::kDeclined,
                       .method = v1::ACKNOWLEDGEMENT_METHOD_REPLY,
                       .step = step,
                       .evidence = "SM1",
                       .person = person});
  };
  decline(1, "ann");
  EXPECT_EQ(this->Claim(cleo).state, ClaimReply::State::kEarly);
  decline(3, "ben");
  EXPECT_EQ(this->Claim(cleo).state, ClaimReply::State::kGranted);
}

TYPED_TEST_P(PlanClaimsContract, APersonWhoDeclinedMayAcknowledge) {
  const std::string alert = this->AnAlert();
  const ClaimRequest first = this->OfStep(alert, 1, this->APlan("ann"));
  this->Claim(first);
  this->Sync(alert, {.kind = KnownMark::Kind::kDeclined, .step = 1, .person = "ann"});
  this->Acknowledge(alert, "ann");
  const PlanEnd end = this->EndPlan(first);
  EXPECT_EQ(end.state, PlanEnd::State::kGoalReached);
  EXPECT_THAT(end.acknowledgements, testing::SizeIs(1));
}

TYPED_TEST_P(PlanClaimsContract, ADeclineWithoutAPlanStopsNothing) {
  ClaimRequest first = this->OfStep(this->AnAlert(), 1, this->APlan());
  first.plan.reset();
  this->Sync(first.attempt.alert_id(),
             {.kind = KnownMark::Kind::kDeclined, .step = 1, .evidence = "SM1"});
  EXPECT_EQ(this->Claim(first).state, ClaimReply::State::kGranted);
}

TYPED_TEST_P(PlanClaimsContract, ADeliveryReachesTheGoalDelivered) {
  const std::string alert = this->AnAlert();
  const ClaimRequest first = this->OfStep(alert, 1, this->APlan("ann", v1::REACH_DELIVERED));
  const ClaimReply claim = this->Claim(first);
  this->SaveCall(first, claim.fence, this->ASid());
  const ClaimRequest second = this->OfStep(alert, 2, this->APlan("ben", v1::REACH_HUMAN));
  EXPECT_EQ(this->Claim(second).state, ClaimReply::State::kGranted);
  this->SaveCall(second, kNoFence, this->ASid(), v1::ATTEMPT_STATUS_DELIVERED);
  EXPECT_EQ(this->Claim(this->OfStep(alert, 3, this->APlan("ben", v1::REACH_HUMAN))).state,
            ClaimReply::State::kGranted)
      << "a person is a stronger goal";
  EXPECT_EQ(this->StopReason(this->OfStep(alert, 4, this->APlan("cleo", v1::REACH_DELIVERED))),
            kGoalReachedReason);
}

TYPED_TEST_P(PlanClaimsContract, AnsweringACallReachesTheGoalHuman) {
  // A key was pressed, or only the end of the call shows who answered it.
  for (const auto status : {v1::ATTEMPT_STATUS_ANSWERED_HUMAN, v1::ATTEMPT_STATUS_DELIVERED}) {
    const std::string alert = this->AnAlert();
    const ClaimRequest first = this->OfStep(alert, 1, this->APlan("ann", v1::REACH_HUMAN));
    this->Claim(first);
    this->SaveCall(first, kNoFence, this->ASid(), status, v1::ANSWERED_BY_HUMAN);
    EXPECT_EQ(this->StopReason(this->OfStep(alert, 2, this->APlan("ben", v1::REACH_HUMAN))),
              kGoalReachedReason);
    EXPECT_EQ(this->Claim(this->OfStep(alert, 3, this->APlan("ben"))).state,
              ClaimReply::State::kGranted)
        << "nobody has acknowledged";
  }
}

// No callback arrived.
TYPED_TEST_P(PlanClaimsContract, ACallThatIsFoundAtTheProviderReachesTheGoalHuman) {
  const std::string alert = this->AnAlert();
  const ClaimRequest first = this->OfStep(alert, 1, this->APlan("ann", v1::REACH_HUMAN));
  this->SaveCall(first, this->Claim(first).fence, this->ASid());
  Reconciled found;
  found.ended = true;
  found.callback.emplace();
  found.callback->set_kind(records::v1::WEBHOOK_KIND_VOICE_STATUS);
  *found.callback->mutable_attempt() = first.attempt;
  found.callback->set_status(v1::ATTEMPT_STATUS_DELIVERED);
  found.callback->set_answered_by(v1::ANSWERED_BY_HUMAN);
  ASSERT_TRUE(this->Wait(
      this->world.unreconciled_attempts().SaveLookup(v1::CHANNEL_VOICE, first.attempt, found)));
  EXPECT_EQ(this->StopReason(this->OfStep(alert, 2, this->APlan("ben", v1::REACH_HUMAN))),
            kGoalReachedReason);
}

TYPED_TEST_P(PlanClaimsContract, NoAttemptStartsAfterTheGoalWasMissed) {
  const ClaimRequest first = this->OfStep(this->AnAlert(), 1, this->APlan());
  EXPECT_EQ(this->StateAtEnd(first), PlanEnd::State::kGoalMissed);
  EXPECT_EQ(this->StateAtEnd(first), PlanEnd::State::kGoalMissed) << "a repetition";
  EXPECT_EQ(this->StopReason(first), kGoalMissedReason);
}

TYPED_TEST_P(PlanClaimsContract, AGoalThatWasReachedIsNotMissed) {
  const ClaimRequest acknowledged = this->OfStep(this->AnAlert(), 1, this->APlan());
  this->Claim(acknowledged);
  this->Acknowledge(acknowledged.attempt.alert_id(), "ann");
  const PlanEnd end = this->EndPlan(acknowledged);
  EXPECT_EQ(end.state, PlanEnd::State::kGoalReached);
  ASSERT_THAT(end.acknowledgements, testing::SizeIs(1));
  EXPECT_EQ(end.acknowledgements[0].mark.person, "ann");
  EXPECT_EQ(end.acknowledgements[0].mark.method, v1::ACKNOWLEDGEMENT_METHOD_API);
  const ClaimRequest human = this->OfStep(this->AnAlert(), 1, this->APlan("ann", v1::REACH_HUMAN));
  this->Claim(human);
  this->SaveCall(human, kNoFence, this->ASid(), v1::ATTEMPT_STATUS_ANSWERED_HUMAN);
  EXPECT_EQ(this->StateAtEnd(human), PlanEnd::State::kGoalReached);
  const ClaimRequest cancelled = this->OfStep(this->AnAlert(), 1, this->APlan());
  this->Sync(cancelled.attempt.alert_id(), {});
  EXPECT_EQ(this->StateAtEnd(cancelled), PlanEnd::State::kCancelled);
}

TYPED_TEST_P(PlanClaimsContract, AQuorumThatIsIncompleteIsMissed) {
  const ClaimRequest first =
      this->OfStep(this->AnAlert(), 1, this->APlan("ann", v1::REACH_ACKNOWLEDGED, 2));
  this->Claim(first);
  this->Acknowledge(first.attempt.alert_id(), "ann");
  EXPECT_EQ(this->StateAtEnd(first), PlanEnd::State::kGoalMissed);
}

TYPED_TEST_P(PlanClaimsContract, FindsTheCallsThatThePlanDoesNotNeedAnyMore) {
  const std::string alert = this->AnAlert();
  const std::string ringing = "CA" + MakeUuidV5(RandomBytes(16));
  const std::string ended = "CA" + MakeUuidV5(RandomBytes(16));
  const ClaimRequest ann = this->OfStep(alert, 1, this->APlan("ann"));
  const ClaimRequest ben = this->OfStep(alert, 2, this->APlan("ben"));
  const ClaimRequest cleo = this->OfStep(alert, 3, this->APlan("cleo"));
  this->SaveCall(ann, this->Claim(ann).fence, ringing);
  this->SaveCall(ben, this->Claim(ben).fence, ended, v1::ATTEMPT_STATUS_NO_ANSWER);
  this->SaveCall(cleo, this->Claim(cleo).fence, this->ASid());
  EXPECT_THAT(this->CallsToEnd(alert), testing::IsEmpty());
  this->Acknowledge(alert, "cleo");
  EXPECT_THAT(this->CallsToEnd(alert), testing::ElementsAre(ringing));
}

TYPED_TEST_P(PlanClaimsContract, NoStepIsLeftWhenAllLastTargetsHaveFailed) {
  const WallTime time(std::chrono::seconds(1'700'000'000));
  const std::string alert = this->AnAlert();
  const ClaimRequest ann = this->OfStep(alert, 1, this->APlan("ann"));
  const ClaimRequest ben = this->OfStep(alert, 2, this->APlan("ben"));
  this->Claim(ann);
  EXPECT_EQ(this->Fail(ann, {1, 2}, time), std::nullopt);
  EXPECT_EQ(this->Fail(ben, {}, time), std::nullopt) << "it does not matter";
  EXPECT_EQ(this->Fail(ben, {1, 2}, time), time);
  EXPECT_EQ(this->Fail(ben, {1, 2}, time + std::chrono::seconds(1)), time) << "a repetition";
}

TYPED_TEST_P(PlanClaimsContract, AnAlertThatHasEndedIsNotExhausted) {
  const std::string acknowledged = this->AnAlert();
  const ClaimRequest ann = this->OfStep(acknowledged, 1, this->APlan("ann"));
  this->Claim(ann);
  this->Acknowledge(acknowledged, "ann");
  EXPECT_EQ(this->Fail(ann, {1}), std::nullopt);
  const std::string cancelled = this->AnAlert();
  const ClaimRequest ben = this->OfStep(cancelled, 1, this->APlan("ben"));
  this->Claim(ben);
  this->Sync(cancelled, {.kind = KnownMark::Kind::kCancelled});
  EXPECT_EQ(this->Fail(ben, {1}), std::nullopt);
}

TYPED_TEST_P(PlanClaimsContract, AnAlertWithoutAPlanHasNoCallsToEnd) {
  ClaimRequest request = this->OfStep(this->AnAlert(), 1, {});
  request.plan.reset();
  this->SaveCall(request, this->Claim(request).fence, "CA" + MakeUuidV5(RandomBytes(16)));
  this->Sync(request.attempt.alert_id(), {.kind = KnownMark::Kind::kAcknowledged});
  EXPECT_THAT(this->CallsToEnd(request.attempt.alert_id()), testing::IsEmpty());
}

REGISTER_TYPED_TEST_SUITE_P(
    PlanClaimsContract, AStepIsEarlyUntilItsWaitIsOver, AStepStartsWhenItsWaitIsOver,
    AStepStartsWhenAllTargetsOfTheStepBeforeHaveFailed, ATargetThatNeverStartedHasFailed,
    AReleasedStartIsNoStart, AQuorumCountsPersons,
    AnAcknowledgementBeforeTheFirstClaimCountsOnePerson, AnActorBeforeTheFirstClaimCountsOnce,
    NoStepIsLeftWhenAllLastTargetsHaveFailed, AnAlertThatHasEndedIsNotExhausted,
    ActorsBeforeTheFirstClaimCountEach, APersonWhoDeclinesIsNotContactedAgainAndTheNextStepStarts,
    AllTargetsOfAPersonWhoDeclinesHaveFailed, APersonWhoDeclinedMayAcknowledge,
    ADeclineWithoutAPlanStopsNothing, ADeliveryReachesTheGoalDelivered,
    AnsweringACallReachesTheGoalHuman, ACallThatIsFoundAtTheProviderReachesTheGoalHuman,
    NoAttemptStartsAfterTheGoalWasMissed, AGoalThatWasReachedIsNotMissed,
    AQuorumThatIsIncompleteIsMissed, FindsTheCallsThatThePlanDoesNotNeedAnyMore,
    AnAlertWithoutAPlanHasNoCallsToEnd);

}  // namespace tocsin
