// Plans: what the delivery of a target publishes, and what a callback of it does. V6
#include <optional>

#include "common/async/callback.h"
#include "common/async/task_group.h"
#include "common/delivery/callback_handler.h"
#include "common/delivery/unanswered_calls.h"
#include "common/domain/plan/plan.h"
#include "tests/common/delivery/delivery_fixture.h"

namespace tocsin {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class FakeCallEnder final : public CallEnder {
 public:
  Task<Status> EndUnanswered(const Account&, const std::string& sid, SteadyTime) override {
    ended.push_back(sid);
    if (!hold) co_return {};
    const auto start = [this](Callback<bool> done) { held.push_back(std::move(done)); };
    co_await AwaitCallback<bool>(start);
    co_return Fail(ErrorCode::kTwilioApiError, "no response");
  }
  std::vector<std::string> ended;  // requested
  bool hold = false;               // requests wait until `held` is called, and fail
  std::vector<Callback<bool>> held;
};

class PlansTest : public DeliveryFixture {
 protected:
  PlansTest() { EnableCalls(); }

  // A message to ann; after 2 min calls to ben and cleo. Two must acknowledge within 15 min.
  records::v1::WorkRecord AnAlert() {
    records::v1::WorkRecord work = AWork();
    work.set_first_publish_time_us(ToUnixMicros(clock.Now()));
    records::v1::Plan& plan = *work.mutable_plan();
    plan.mutable_goal()->set_reach(v1::REACH_ACKNOWLEDGED);
    plan.mutable_goal()->set_person_count(2);
    plan.mutable_goal()->set_deadline_us(ToUnixMicros(clock.Now() + minutes(15)));
    Add(plan, work, 1, "ann", v1::CHANNEL_SMS, {});
    Add(plan, work, 2, "ben", v1::CHANNEL_VOICE, minutes(2));
    Add(plan, work, 2, "cleo", v1::CHANNEL_VOICE, minutes(2));
    return work;
  }
  void Add(records::v1::Plan& plan, records::v1::WorkRecord work, std::int32_t plan_step,
           const std::string& person, v1::Channel channel, Micros wait) {
    work.mutable_attempt()->set_step(plan.targets_size() + 1);
    Seal(work, "for " + person);
    records::v1::PlannedTarget& target = *plan.add_targets();
    target.set_plan_step(plan_step);
    target.set_wait_us(wait.count());
    target.set_person(person);
    target.set_channel(channel);
    *target.mutable_recipient() = work.recipient();
    *target.mutable_content() = work.content();
    *target.mutable_key() = work.key();
    target.set_sender_id("main");
  }
  // What was published for the alert, with the given step and kind, the last one.
  records::v1::WorkRecord Published(std::int32_t step,
                                    records::v1::WorkKind kind = records::v1::WORK_KIND_ATTEMPT) {
    records::v1::WorkRecord last;
    for (const OutgoingRecord& record : log.Records()) {
      records::v1::WorkRecord work;
      if (record.topic == topics.Events() || !work.ParseFromString(record.value)) continue;
      if (work.attempt().step() == step && work.kind() == kind) last = work;
    }
    return last;
  }
  Result<DeliveryResult> Place(const records::v1::WorkRecord& work) {
    provider.result = FakeProvider::Accepted(SidOf(work));
    const IncomingRecord record = RecordOf(work);
    return Await(calls.Deliver(record));
  }
  static std::string SidOf(const records::v1::WorkRecord& work) {
    return "CA" + AttemptText(work.attempt());
  }
  records::v1::WebhookRecord ACallback(const records::v1::WorkRecord& work,
                                       v1::AttemptStatus status, v1::AnsweredBy answered_by) {
    records::v1::WebhookRecord callback;
    callback.set_kind(records::v1::WEBHOOK_KIND_VOICE_STATUS);
    callback.set_receive_time_us(ToUnixMicros(clock.Now()));
    *callback.mutable_attempt() = work.attempt();
    callback.mutable_work()->set_topic(topics.Lane(v1::CHANNEL_VOICE, v1::PRIORITY_NORMAL));
    callback.set_token_time_us(ToUnixMicros(clock.Now()));
    callback.set_provider_sid(SidOf(work));
    callback.set_status(status);
    callback.set_answered_by(answered_by);
    return callback;
  }
  Result<DeliveryResult> CallBack(const records::v1::WorkRecord& work, v1::AttemptStatus status,
                                  v1::AnsweredBy answered_by = v1::ANSWERED_BY_UNSPECIFIED) {
    IncomingRecord record;
    record.key = work.attempt().alert_id();
    record.value = ACallback(work, status, answered_by).SerializeAsString();
    return Await(callback_handler.Handle(record));
  }
  Result<DeliveryResult> Acknowledge(const records::v1::WorkRecord& work,
                                     const std::string& person) {
    records::v1::Event event;
    event.mutable_attempt()->set_alert_id(work.attempt().alert_id());
    event.set_client_id(work.client_id());
    event.set_time_us(ToUnixMicros(clock.Now()));
    event.mutable_acknowledged()->set_method(v1::ACKNOWLEDGEMENT_METHOD_API);
    event.mutable_acknowledged()->set_person(person);
    IncomingRecord record;
    record.position.set_topic(topics.Events());
    record.value = event.SerializeAsString();
    return Await(callback_handler.Handle(record));
  }
  void Pass(Micros time) { clock.Set(clock.Now() + time); }
  // From the acceptance of the alert.
  void PassToDeadline() {
    Pass(minutes(15) - kStoreTrustedAfter);
    PassWatching(kStoreTrustedAfter);
  }
  size_t CountOfGoalMissed() const {
    return std::ranges::count_if(Events(),
                                 [](const auto& event) { return event.has_goal_missed(); });
  }

  FakeCallEnder ender;
  UnansweredCalls unanswered_calls{{clock, registry, claims, ender}};
  DeliveryPipeline calls{v1::CHANNEL_VOICE,
                         {clock, registry, consents, claims, pacer, vault, limiter, provider, list,
                          log, log_history, topics, probe, &unanswered_calls},
                         {.owner = "test", .retry = {}}};
  CallbackHandler callback_handler{v1::CHANNEL_VOICE,
                                   {clock, claims, log, log_history, topics, &unanswered_calls},
                                   {.calls = {.max_calls = 1}}};
};

TEST_F(PlansTest, AStartPublishesTheNextStepAndTheDeadlineFirst) {
  EXPECT_EQ(Deliver(AnAlert()), DeliveryResult::kSent);
  const WallTime begin = clock.Now();
  EXPECT_EQ(Published(2).due_time_us(), ToUnixMicros(begin + minutes(2)));
  EXPECT_EQ(Published(1, records::v1::WORK_KIND_DEADLINE).due_time_us(),
            ToUnixMicros(begin + minutes(15)));
  // What is known to have started has what follows it.
  ASSERT_THAT(log.Records(), SizeIs(4));
  EXPECT_EQ(log.Records()[2].topic, topics.Events());
}

TEST_F(PlansTest, AnEarlyCopyWaitsForItsTime) {
  ASSERT_EQ(Deliver(AnAlert()), DeliveryResult::kSent);
  records::v1::WorkRecord early = Published(2);
  early.set_due_time_us(ToUnixMicros(clock.Now()));
  EXPECT_EQ(Place(early), DeliveryResult::kRescheduled);
  EXPECT_EQ(Published(2).due_time_us(), ToUnixMicros(clock.Now() + minutes(2)));
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(PlansTest, TheNextStepOpensItsOwnTextAndReachesItsTargetsTogether) {
  ASSERT_EQ(Deliver(AnAlert()), DeliveryResult::kSent);
  Pass(minutes(2));
  ASSERT_EQ(Place(Published(2)), DeliveryResult::kSent);
  const records::v1::WorkRecord cleo = Published(3);
  EXPECT_EQ(cleo.due_time_us(), ToUnixMicros(clock.Now()));
  ASSERT_EQ(Place(cleo), DeliveryResult::kSent);
  EXPECT_EQ(provider.sent[1].text, "for ben");
  EXPECT_EQ(provider.sent[2].text, "for cleo");
}

TEST_F(PlansTest, ARefusalStartsTheNextStepAtOnce) {
  provider.result =
      FakeProvider::Refused(records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER, 21211);
  ASSERT_EQ(Deliver(AnAlert()), DeliveryResult::kFailed);
  EXPECT_EQ(Place(Published(2)), DeliveryResult::kSent);
}

TEST_F(PlansTest, AnOptOutStartsTheNextStepAtOnce) {
  const records::v1::WorkRecord work = AnAlert();
  records::v1::ConsentRecord consent;
  *consent.mutable_recipient() = work.recipient();
  consent.set_sender_address(ConsentName(*registry.Now()->FindSender("main")));
  consent.set_state(records::v1::CONSENT_STATE_OPTED_OUT);
  consents.Apply(consent);
  ASSERT_EQ(Deliver(work), DeliveryResult::kNotAttempted);
  EXPECT_EQ(Published(2).due_time_us(), ToUnixMicros(clock.Now()));
  EXPECT_TRUE(Published(1, records::v1::WORK_KIND_DEADLINE).has_plan());
}

TEST_F(PlansTest, ACallWithoutAnAcknowledgementHasFailed) {
  ASSERT_EQ(Deliver(AnAlert()), DeliveryResult::kSent);
  Pass(minutes(2));
  const records::v1::WorkRecord ben = Published(2);
  ASSERT_EQ(Place(ben), DeliveryResult::kSent);
  const size_t before = log.Records().size();
  EXPECT_EQ(CallBack(ben, v1::ATTEMPT_STATUS_DELIVERED), DeliveryResult::kCallbackHandled);
  EXPECT_THAT(log.Records(), SizeIs(before)) << "the last step";
}

TEST_F(PlansTest, APlanIsExhaustedWhenItsLastCallHasFailed) {
  ASSERT_EQ(Deliver(AnAlert()), DeliveryResult::kSent);
  Pass(minutes(2));
  const records::v1::WorkRecord ben = Published(2);
  ASSERT_EQ(Place(ben), DeliveryResult::kSent);
  const records::v1::WorkRecord cleo = Published(3);
  ASSERT_EQ(Place(cleo), DeliveryResult::kSent);
  EXPECT_EQ(CallBack(ben, v1::ATTEMPT_STATUS_DELIVERED), DeliveryResult::kCallbackHandled);
  EXPECT_FALSE(Events().back().has_plan_exhausted()) << "the phone of cleo rings";
  EXPECT_EQ(CallBack(cleo, v1::ATTEMPT_STATUS_NO_ANSWER), DeliveryResult::kCallbackHandled);
  const records::v1::Event exhausted = Events().back();
  EXPECT_TRUE(exhausted.has_plan_exhausted());
  Pass(minutes(1));
  EXPECT_EQ(CallBack(cleo, v1::ATTEMPT_STATUS_NO_ANSWER), DeliveryResult::kCallbackHandled);
  EXPECT_EQ(Events().back().SerializeAsString(), exhausted.SerializeAsString());
}

// A key without a meaning was pressed.
TEST_F(PlansTest, ACallOfAPersonTakenForAMachineHasFailed) {  // V5
  ASSERT_EQ(Deliver(AnAlert()), DeliveryResult::kSent);
  Pass(minutes(2));
  for (const std::int32_t step : {2, 3}) {
    const records::v1::WorkRecord call = Published(step);
    ASSERT_EQ(Place(call), DeliveryResult::kSent);
    EXPECT_EQ(CallBack(call, v1::ATTEMPT_STATUS_ANSWERED_HUMAN), DeliveryResult::kCallbackHandled);
    EXPECT_FALSE(Events().back().has_plan_exhausted());
    EXPECT_EQ(CallBack(call, v1::ATTEMPT_STATUS_DELIVERED, v1::ANSWERED_BY_MACHINE),
              DeliveryResult::kCallbackHandled);
  }
  EXPECT_TRUE(Events().back().has_plan_exhausted());
}

// As reconciliation does when the callbacks after the key are missing.
TEST_F(PlansTest, ARecordOfAMachineFailsTheTargetOfAPersonWhoPressedAKey) {  // V5
  ASSERT_EQ(Deliver(AnAlert()), DeliveryResult::kSent);
  Pass(minutes(2));
  for (const std::int32_t step : {2, 3}) {
    const records::v1::WorkRecord call = Published(step);
    ASSERT_EQ(Place(call), DeliveryResult::kSent);
    const records::v1::AttemptResult key =
        ProvenByCallback(ACallback(call, v1::ATTEMPT_STATUS_ANSWERED_HUMAN, {}));
    const records::v1::WebhookRecord found =
        ACallback(call, v1::ATTEMPT_STATUS_DELIVERED, v1::ANSWERED_BY_MACHINE);
    EXPECT_TRUE(Await(callback_handler.PublishRetry(found, key, call, {}, {})));
  }
  EXPECT_TRUE(Events().back().has_plan_exhausted());
}

// The target has failed once, and by the time of the first report.
TEST_F(PlansTest, AKeyAfterTheReportOfAMachineChangesNothing) {  // W5
  ASSERT_EQ(Deliver(AnAlert()), DeliveryResult::kSent);
  Pass(minutes(2));
  const records::v1::WorkRecord ben = Published(2);
  ASSERT_EQ(Place(ben), DeliveryResult::kSent);
  const auto report_machine = [&] {
    EXPECT_EQ(CallBack(ben, v1::ATTEMPT_STATUS_DELIVERED, v1::ANSWERED_BY_MACHINE),
              DeliveryResult::kCallbackHandled);
    return Events().back().SerializeAsString();
  };
  const std::string first = report_machine();
  Pass(minutes(1));
  EXPECT_EQ(CallBack(ben, v1::ATTEMPT_STATUS_ANSWERED_HUMAN), DeliveryResult::kCallbackHandled);
  EXPECT_EQ(report_machine(), first);
}

TEST_F(PlansTest, AGoalThatIsNotReachedEndsTheAlertAtItsDeadline) {
  ASSERT_EQ(Deliver(AnAlert()), DeliveryResult::kSent);
  const records::v1::WorkRecord deadline = Published(1, records::v1::WORK_KIND_DEADLINE);
  EXPECT_EQ(Deliver(deadline), DeliveryResult::kRescheduled) << "too early";
  PassToDeadline();
  EXPECT_EQ(Deliver(deadline), DeliveryResult::kGoalMissed);
  EXPECT_EQ(Events().back().time_us(), deadline.due_time_us());
  EXPECT_EQ(Place(Published(2)), DeliveryResult::kNotAttempted);
  EXPECT_EQ(Deliver(deadline), DeliveryResult::kGoalMissed) << "a repetition";
  EXPECT_EQ(CountOfGoalMissed(), 2) << "equal events";
}

// The record of the deadline may be late.
TEST_F(PlansTest, NothingIsSentAfterTheDeadline) {
  const records::v1::WorkRecord work = AnAlert();
  Pass(minutes(15));
  EXPECT_EQ(Deliver(work), DeliveryResult::kNotAttempted);
  EXPECT_EQ(Events().back().attempt_changed().reason(), kGoalMissedReason);
  EXPECT_THAT(provider.sent, IsEmpty());
}

TEST_F(PlansTest, AGoalThatWasReachedIsNotMissed) {
  const records::v1::WorkRecord work = AnAlert();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  ASSERT_EQ(Acknowledge(work, "ann"), DeliveryResult::kCallbackHandled);
  ASSERT_EQ(Acknowledge(work, "ben"), DeliveryResult::kCallbackHandled);
  PassToDeadline();
  EXPECT_EQ(Deliver(Published(1, records::v1::WORK_KIND_DEADLINE)), DeliveryResult::kGoalReached);
  EXPECT_EQ(CountOfGoalMissed(), 0);
  // Its event may be missing: the ingress may have been killed after it stored the mark.
  EXPECT_EQ(Events().back().acknowledged().person(), "ben");
}

// Each step is published several times, and each copy is finished.
TEST_F(PlansTest, CopiesOfAStoppedTargetAreFollowedOnce) {
  const records::v1::WorkRecord work = AnAlert();
  KnownAttempt known{.name = work.attempt(),
                     .client_id = "demo",
                     .time = clock.Now(),
                     .lease_until = {},
                     .result = {},
                     .mark = KnownMark{}};
  ASSERT_TRUE(Await(claims.Sync(known)));
  size_t published = 0;
  for (int copy = 0; copy < 5; ++copy) {
    EXPECT_EQ(Deliver(work), DeliveryResult::kNotAttempted);
    published = 0;
    for (const OutgoingRecord& record : log.Records()) published += record.topic != topics.Events();
  }
  EXPECT_EQ(published, 2) << "the deadline and the next step";
}

// It may be the same record, read again after a rebalance.
TEST_F(PlansTest, ACopyWaitsUntilThePlanIsPublished) {
  const records::v1::WorkRecord work = AnAlert();
  claims.Mark(work.attempt().alert_id(), "CANCELLED");
  std::optional<Result<DeliveryResult>> copy;
  log.BeforePublish([&] {
    if (copy) return;
    copy = DeliveryResult::kNotAttempted;  // it may publish, too
    copy = Deliver(work);
  });
  EXPECT_EQ(Deliver(work), DeliveryResult::kNotAttempted);
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(Deliver(work), DeliveryResult::kNotAttempted);
}

// Acknowledgements are in the log, too.
TEST_F(PlansTest, TheDeadlineWaitsUntilTheStoreIsSynced) {
  const records::v1::WorkRecord work = AnAlert();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  const records::v1::WorkRecord deadline = Published(1, records::v1::WORK_KIND_DEADLINE);
  PassToDeadline();
  claims.SetDown(true);
  EXPECT_FALSE(Deliver(deadline));
  claims.SetDown(false);
  EXPECT_EQ(Deliver(deadline), DeliveryResult::kRescheduled);
  ASSERT_EQ(Acknowledge(work, "ann"), DeliveryResult::kCallbackHandled);
  ASSERT_EQ(Acknowledge(work, "ben"), DeliveryResult::kCallbackHandled);
  PassWatching(kStoreTrustedAfter);
  EXPECT_EQ(Deliver(deadline), DeliveryResult::kGoalReached);
}

TEST_F(PlansTest, ReachingTheGoalEndsCallsThatRing) {
  const records::v1::WorkRecord work = AnAlert();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  Pass(minutes(2));
  const records::v1::WorkRecord ben = Published(2);
  ASSERT_EQ(Place(ben), DeliveryResult::kSent);
  ASSERT_EQ(Acknowledge(work, "ann"), DeliveryResult::kCallbackHandled);
  EXPECT_THAT(ender.ended, IsEmpty()) << "one of two persons";
  ASSERT_EQ(Acknowledge(work, "cleo"), DeliveryResult::kCallbackHandled);
  EXPECT_THAT(ender.ended, ElementsAre(SidOf(ben)));
}

TEST_F(PlansTest, CallsAreEndedConcurrentlyAndWithABound) {
  const std::string alert_id = AnAlert().attempt().alert_id();
  for (std::int32_t step = 1; step <= 10; ++step) {
    ClaimRequest request;
    request.attempt.set_alert_id(alert_id);
    request.attempt.set_step(step);
    request.attempt.set_attempt(1);
    request.plan = PlanCondition{.goal = v1::REACH_ACKNOWLEDGED,
                                 .person_count = 1,
                                 .person = "person" + std::to_string(step),
                                 .before = {},
                                 .wait = {}};
    const auto claim = Await(claims.Claim(request));
    records::v1::AttemptResult result = FakeProvider::Accepted("CA" + std::to_string(step));
    result.set_account_sid(kTestAccount);
    ASSERT_TRUE(Await(claims.SaveResult(request.attempt, claim->fence, result)));
  }
  KnownAttempt known{.name = {},
                     .client_id = "demo",
                     .time = clock.Now(),
                     .lease_until = {},
                     .result = {},
                     .mark = KnownMark{.kind = KnownMark::Kind::kAcknowledged, .person = "ann"}};
  known.name.set_alert_id(alert_id);
  ASSERT_TRUE(Await(claims.Sync(known)));

  ender.hold = true;
  std::optional<Status> status;
  TaskGroup tasks;
  const auto end = [&]() -> Task<void> { status = co_await unanswered_calls.End(alert_id); };
  tasks.Start(end());
  EXPECT_THAT(ender.ended, SizeIs(8)) << "none waits for the end of the first";
  ender.held[7](true);
  EXPECT_THAT(ender.ended, SizeIs(9));
  for (std::size_t i = 0; i < ender.held.size(); ++i) {
    EXPECT_FALSE(status) << i;
    ender.held[i](true);
  }
  EXPECT_THAT(ender.ended, SizeIs(10));
  ASSERT_TRUE(status);
  EXPECT_TRUE(*status) << "a call that is not ended rings until its timeout";
}

// The acknowledgement came while the call was being placed.
TEST_F(PlansTest, ACallThatWasPlacedTooLateIsEnded) {
  const records::v1::WorkRecord work = AnAlert();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  Pass(minutes(2));
  const records::v1::WorkRecord ben = Published(2);
  provider.during_post = [&] {
    KnownAttempt known{.name = work.attempt(),
                       .client_id = "demo",
                       .time = clock.Now(),
                       .lease_until = {},
                       .result = {},
                       .mark = KnownMark{.kind = KnownMark::Kind::kAcknowledged}};
    for (const char* person : {"ann", "cleo"}) {
      known.mark->person = person;
      ASSERT_TRUE(Await(claims.Sync(known)));
    }
  };
  ASSERT_EQ(Place(ben), DeliveryResult::kSent);
  EXPECT_THAT(ender.ended, ElementsAre(SidOf(ben)));
  ender.ended.clear();  // the worker was killed before
  ASSERT_EQ(Place(ben), DeliveryResult::kSent);
  EXPECT_THAT(ender.ended, ElementsAre(SidOf(ben)));
}

TEST_F(PlansTest, AnEmergencyWithoutTheStoreKeepsTheOrderOfTheLog) {
  records::v1::WorkRecord work = AnAlert();
  work.set_priority(v1::PRIORITY_EMERGENCY);
  claims.SetDown(true);
  for (int i = 0; i < 3; ++i) {
    (void)Deliver(work);
    PassWatching(std::chrono::seconds(1));
  }
  EXPECT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_TRUE(Published(2).has_content());
}

}  // namespace
}  // namespace tocsin
