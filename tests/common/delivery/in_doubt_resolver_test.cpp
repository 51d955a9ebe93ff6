// Resolution of attempts in doubt by a worker. R4
#include "common/delivery/in_doubt_resolver.h"

#include "common/delivery/callback_handler.h"
#include "tests/common/delivery/delivery_fixture.h"

namespace tocsin {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kSid = "SM0000000000000000000000000000000a";
constexpr const char* kOtherSid = "SM0000000000000000000000000000000b";

class InDoubtResolverTest : public DeliveryFixture {
 protected:
  // Delivers `work`, which becomes in doubt. Returns its first lookup.
  records::v1::WorkRecord MakeInDoubt(records::v1::WorkRecord work) {
    provider.result = FakeProvider::Of(records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
    EXPECT_EQ(Deliver(work), DeliveryResult::kInDoubt);
    return Waiting().back();
  }
  records::v1::WorkRecord Emergency() {
    records::v1::WorkRecord work = AWork();
    work.set_priority(v1::PRIORITY_EMERGENCY);
    return work;
  }
  // The in-doubt policy decides after 75 s: nothing is awaited from the list.
  static records::v1::WorkRecord AtMostOnce(records::v1::WorkRecord work) {
    work.set_in_doubt_policy(v1::IN_DOUBT_POLICY_FAIL);
    return work;
  }
  // The newest lookup in the log, due or not.
  records::v1::WorkRecord LastLookup() const {
    records::v1::WorkRecord last;
    for (const OutgoingRecord& record : log.Records()) {
      records::v1::WorkRecord work;
      const bool in_lane = record.topic == topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_NORMAL);
      if ((in_lane || topics.TierOf(record.topic)) && work.ParseFromString(record.value) &&
          work.kind() == records::v1::WORK_KIND_RESOLVE)
        last = work;
    }
    return last;
  }
  // Makes lookups, each when it is due, until one resolves the attempt.
  Result<DeliveryResult> RunLookupsUntilResolved(records::v1::WorkRecord lookup) {
    while (true) {
      clock.Set(std::max(clock.Now(), FromUnixMicros(lookup.due_time_us())));
      const auto result = Deliver(lookup);
      if (!result || *result != DeliveryResult::kLookupPending) return result;
      lookup = LastLookup();
    }
  }
  // Another process reads the same record.
  Result<DeliveryResult> DeliverElsewhere(const records::v1::WorkRecord& work) {
    DeliveryPipeline other(v1::CHANNEL_SMS,
                           {clock, registry, consents, claims, pacer, vault, limiter, provider,
                            list, log, log_history, topics, probe},
                           {.owner = "other", .retry = {}});
    const IncomingRecord record = RecordOf(work);
    return Await(other.Deliver(record));
  }
  // Another alert to the same recipient with the same text.
  records::v1::WorkRecord Duplicate() {
    records::v1::WorkRecord work = AWork();
    work.mutable_attempt()->set_alert_id(NewAlertId(clock.Now(), "another id"));
    Seal(work);
    return work;
  }
  void AddToList(const char* sid, const char* text = kText) {
    list.Add(kNumber, text, sid, std::chrono::floor<seconds>(clock.Now()));
  }
  records::v1::AttemptChanged Last() const { return Events().back().attempt_changed(); }
  Result<DeliveryResult> CallBack(const v1::AttemptRef& attempt, const char* sid,
                                  v1::AttemptStatus status = v1::ATTEMPT_STATUS_SENT,
                                  records::v1::ProviderErrorClass error_class = {}) {
    records::v1::WebhookRecord callback;
    callback.set_webhook_id(EventId(attempt, std::to_string(status)));
    callback.set_kind(records::v1::WEBHOOK_KIND_SMS_STATUS);
    callback.set_receive_time_us(ToUnixMicros(clock.Now()));
    *callback.mutable_attempt() = attempt;
    callback.mutable_work()->set_topic(topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_NORMAL));
    callback.mutable_work()->set_offset(7);
    callback.set_token_time_us(ToUnixMicros(clock.Now()));
    callback.set_provider_sid(sid);
    callback.set_account_sid(kTestAccount);
    callback.set_status(status);
    callback.set_error_class(error_class);
    IncomingRecord record;
    record.key = attempt.alert_id();
    record.value = callback.SerializeAsString();
    return Await(callback_handler.Handle(record));
  }

  CallbackHandler callback_handler{v1::CHANNEL_SMS, {clock, claims, log, log_history, topics}, {}};
};

TEST_F(InDoubtResolverTest, ResolvesFromTheListWithoutSendingAgain) {
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  AddToList(kSid);
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kResolvedByList);
  EXPECT_EQ(Last().status(), v1::ATTEMPT_STATUS_SENT);
  EXPECT_EQ(Last().provider_sid(), kSid);
  EXPECT_EQ(Last().resolved_by(), v1::RESOLVED_BY_LIST);
  EXPECT_THAT(provider.sent, SizeIs(1));
  EXPECT_THAT(Dead(), IsEmpty());
}

TEST_F(InDoubtResolverTest, RequestsNoListAfterACallback) {
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  EXPECT_EQ(CallBack(lookup.attempt(), kSid), DeliveryResult::kCallbackHandled);
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kResolvedByCallback);
  EXPECT_EQ(Last().resolved_by(), v1::RESOLVED_BY_CALLBACK);
  EXPECT_EQ(Last().provider_sid(), kSid);
  EXPECT_EQ(list.requests, 0);
}

TEST_F(InDoubtResolverTest, RepeatsLookupsAtGrowingIntervalsUntilTheTimeout) {
  records::v1::WorkRecord lookup = MakeInDoubt(AtMostOnce(AWork()));
  const std::int64_t begin = lookup.in_doubt().begin_time_us();
  std::vector<std::int64_t> seconds_after;
  while (true) {
    seconds_after.push_back((lookup.due_time_us() - begin) / 1'000'000);
    clock.Set(FromUnixMicros(lookup.due_time_us()));
    const auto result = Deliver(lookup);
    if (result != DeliveryResult::kLookupPending) {
      EXPECT_EQ(result, DeliveryResult::kResolvedByPolicy);
      break;
    }
    lookup = Waiting().back();
  }
  EXPECT_THAT(seconds_after, ElementsAre(1, 3, 7, 15, 31, 63, 75));
  EXPECT_EQ(Last().status(), v1::ATTEMPT_STATUS_FAILED);
  EXPECT_EQ(Last().reason(), "IN_DOUBT");
  EXPECT_TRUE(Last().last());
  ASSERT_THAT(Dead(), SizeIs(1));
  EXPECT_EQ(Dead()[0].work().kind(), records::v1::WORK_KIND_ATTEMPT);
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(InDoubtResolverTest, ResendsAnEmergencyAfterItsTimeoutAndRecordsIt) {  // V7
  const records::v1::WorkRecord lookup = MakeInDoubt(Emergency());
  list.unavailable = true;  // also when the list is unavailable
  clock.Advance(seconds(15));
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kResolvedByPolicy);
  EXPECT_EQ(Last().next_attempt(), 2);
  EXPECT_FALSE(Last().last());
  EXPECT_NE(Last().note().find("resent"), std::string::npos);
  const auto lane = log.On<records::v1::WorkRecord>("tocsin.sms.emergency");
  ASSERT_THAT(lane, SizeIs(1));
  EXPECT_EQ(lane[0].kind(), records::v1::WORK_KIND_ATTEMPT);
  EXPECT_EQ(lane[0].retry_budget().attempts_used(), 2);
  provider.result = FakeProvider::Accepted(kSid);
  EXPECT_EQ(Deliver(lane[0]), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(2));
}

TEST_F(InDoubtResolverTest, SendsAgainWhatTheListProvesWasNeverReceived) {
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  const WallTime begin = FromUnixMicros(lookup.in_doubt().begin_time_us());
  EXPECT_EQ(RunLookupsUntilResolved(lookup), DeliveryResult::kResolvedByListAbsence);
  EXPECT_EQ(clock.Now(), begin + minutes(10));
  EXPECT_EQ(Last().status(), v1::ATTEMPT_STATUS_FAILED);
  EXPECT_EQ(Last().reason(), "NOT_RECEIVED");
  EXPECT_EQ(Last().resolved_by(), v1::RESOLVED_BY_LIST_ABSENCE);
  EXPECT_EQ(Last().next_attempt(), 2);
  EXPECT_THAT(Dead(), IsEmpty());
  const auto lane = log.On<records::v1::WorkRecord>("tocsin.sms.normal");
  ASSERT_THAT(lane, SizeIs(1));
  provider.result = FakeProvider::Accepted(kSid);
  EXPECT_EQ(Deliver(lane[0]), DeliveryResult::kSent);
  EXPECT_THAT(provider.sent, SizeIs(2));
}

TEST_F(InDoubtResolverTest, DoesNotResendWhatAppearsInTheListLate) {
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  const WallTime post_time = FromUnixMicros(lookup.in_doubt().post_time_us());
  clock.Advance(minutes(9));
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kLookupPending);
  list.Add(kNumber, kText, kSid, std::chrono::floor<seconds>(post_time));
  EXPECT_EQ(RunLookupsUntilResolved(LastLookup()), DeliveryResult::kResolvedByList);
  EXPECT_THAT(provider.sent, SizeIs(1));
}

TEST_F(InDoubtResolverTest, ProvesNothingByAListThatWasReadLessThanThreeTimes) {
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  clock.Advance(minutes(10));
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kLookupPending);
  EXPECT_EQ(LastLookup().in_doubt().complete_read_count(), 1);
}

TEST_F(InDoubtResolverTest, ReadsTheListLaterWhenItIsUnavailable) {
  records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  const WallTime begin = FromUnixMicros(lookup.in_doubt().begin_time_us());
  lookup.mutable_in_doubt()->set_complete_read_count(2);
  lookup.mutable_in_doubt()->set_lookup_count(9);
  list.unavailable = true;
  clock.Advance(minutes(10));
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kLookupPending);
  EXPECT_EQ(LastLookup().in_doubt().complete_read_count(), 2);
  list.unavailable = false;
  EXPECT_EQ(RunLookupsUntilResolved(LastLookup()), DeliveryResult::kResolvedByListAbsence);
  EXPECT_EQ(clock.Now(), begin + minutes(20));
}

struct InconclusiveList {
  const char* name;
  // Another message to the recipient, or an account whose lists prove nothing.
  void (*change)(FakeProviderList& list, WallTime post_time);
};
class InconclusiveLists : public InDoubtResolverTest,
                          public testing::WithParamInterface<InconclusiveList> {};
TEST_P(InconclusiveLists, ProveNoAbsence) {
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  GetParam().change(list, FromUnixMicros(lookup.in_doubt().post_time_us()));
  EXPECT_EQ(RunLookupsUntilResolved(lookup), DeliveryResult::kResolvedByPolicy);
  EXPECT_EQ(Last().reason(), "IN_DOUBT");
  EXPECT_THAT(provider.sent, SizeIs(1));
}
INSTANTIATE_TEST_SUITE_P(
    Rows, InconclusiveLists,
    testing::Values(InconclusiveList{"RedactedBody",
                                     [](FakeProviderList& list, WallTime post_time) {
                                       list.Add("+15145550123", "", kSid, post_time);
                                     }},
                    InconclusiveList{"AnotherSender",
                                     [](FakeProviderList& list, WallTime post_time) {
                                       list.Add("+15145550123", "Boiler 3 is too hot", kSid,
                                                post_time, "pool");
                                     }},
                    InconclusiveList{"CreatedAfterALatePost",
                                     [](FakeProviderList& list, WallTime post_time) {
                                       list.Add("+15145550123", "Boiler 3 is too hot", kSid,
                                                post_time + minutes(2));
                                     }},
                    InconclusiveList{"CreatedByAClockThatIsBehind",
                                     [](FakeProviderList& list, WallTime post_time) {
                                       list.Add("+15145550123", "Boiler 3 is too hot", kSid,
                                                post_time - minutes(4));
                                     }},
                    InconclusiveList{
                        "AccountThatRedactsNumbers",
                        [](FakeProviderList& list, WallTime) { list.shows_recipients = false; }}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(InDoubtResolverTest, ReportsAListThatIsUnavailable) {
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  list.unavailable = true;
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kLookupPending);
  EXPECT_THAT(probe.Errors(), ElementsAre(ErrorCode::kTwilioApiError));
}

TEST_F(InDoubtResolverTest, FollowsTheRequestedPolicyRatherThanThePriority) {
  records::v1::WorkRecord fail = Emergency();
  fail.set_in_doubt_policy(v1::IN_DOUBT_POLICY_FAIL);
  records::v1::WorkRecord resend = Duplicate();
  resend.set_in_doubt_policy(v1::IN_DOUBT_POLICY_RESEND);
  const records::v1::WorkRecord first = MakeInDoubt(fail);
  const records::v1::WorkRecord second = MakeInDoubt(resend);
  clock.Advance(seconds(75));
  ASSERT_TRUE(Deliver(first));
  EXPECT_TRUE(Last().last());
  ASSERT_TRUE(Deliver(second));
  EXPECT_EQ(Last().next_attempt(), 2);
}

TEST_F(InDoubtResolverTest, PublishesIdenticalBytesForARepeatedLookup) {  // R1
  const records::v1::WorkRecord lookup = MakeInDoubt(AtMostOnce(AWork()));
  clock.Advance(seconds(75));
  ASSERT_TRUE(Deliver(lookup));
  const auto first = log.Records();
  clock.Advance(seconds(10));
  EXPECT_EQ(DeliverElsewhere(lookup), DeliveryResult::kResolvedByPolicy);
  const auto both = log.Records();
  ASSERT_THAT(both, SizeIs(first.size() + 2));  // the event and the dead letter
  EXPECT_EQ(both[both.size() - 2].value, first[first.size() - 2].value);
  EXPECT_EQ(both.back().value, first.back().value);
}

TEST_F(InDoubtResolverTest, MultipliesNoCopiesOfALookup) {
  const records::v1::WorkRecord pending = MakeInDoubt(AWork());
  EXPECT_EQ(Deliver(pending), DeliveryResult::kLookupPending);
  EXPECT_EQ(Deliver(pending), DeliveryResult::kLookupPending);
  ASSERT_THAT(Waiting(), SizeIs(2));  // the first lookup and one next
  AddToList(kSid);
  EXPECT_EQ(Deliver(Waiting().back()), DeliveryResult::kResolvedByList);
  const size_t records = log.Records().size();
  EXPECT_TRUE(Deliver(Waiting().back()));
  EXPECT_THAT(log.Records(), SizeIs(records));
}

TEST_F(InDoubtResolverTest, RepeatsALookupWhoseNextOneIsNotOnDisk) {  // R1
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  log.SetOutcome(PublishOutcome::kUnknown);
  EXPECT_FALSE(Deliver(lookup));
  log.SetOutcome(PublishOutcome::kPersisted);
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kLookupPending);
  EXPECT_EQ(LastLookup().in_doubt().lookup_count(), 1);
}

TEST_F(InDoubtResolverTest, ReplacesTheResultByLateProof) {
  const records::v1::WorkRecord lookup = MakeInDoubt(AtMostOnce(AWork()));
  clock.Advance(seconds(75));
  ASSERT_TRUE(Deliver(lookup));
  EXPECT_EQ(CallBack(lookup.attempt(), kSid, v1::ATTEMPT_STATUS_DELIVERED),
            DeliveryResult::kCallbackHandled);
  EXPECT_EQ(DeliverElsewhere(lookup), DeliveryResult::kResolvedByCallback);
  EXPECT_EQ(Last().status(), v1::ATTEMPT_STATUS_SENT);
}

TEST_F(InDoubtResolverTest, IgnoresListEntriesThatDoNotMatch) {
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  AddToList(kSid, "Another text");
  list.Add(kNumber, kText, kOtherSid, clock.Now() - seconds(60));  // before the POST
  list.Add(kNumber, kText, "SM0000000000000000000000000000000c", clock.Now(), "urgent");
  clock.Advance(seconds(1));
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kLookupPending);
}

TEST_F(InDoubtResolverTest, IgnoresAListedMessageOfAnotherAttempt) {
  provider.result = FakeProvider::Accepted(kSid);
  ASSERT_EQ(Deliver(Duplicate()), DeliveryResult::kSent);
  AddToList(kSid);
  const records::v1::WorkRecord lookup = MakeInDoubt(AtMostOnce(AWork()));
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kLookupPending);
  clock.Advance(seconds(75));
  EXPECT_EQ(Deliver(Waiting().back()), DeliveryResult::kResolvedByPolicy);
}

TEST_F(InDoubtResolverTest, DistributesListedMessagesAmongDuplicatesByCount) {
  const records::v1::WorkRecord one = MakeInDoubt(AWork());
  const records::v1::WorkRecord two = MakeInDoubt(Duplicate());
  AddToList(kSid);
  EXPECT_EQ(Deliver(one), DeliveryResult::kLookupPending);  // a callback may still name its owner
  AddToList(kOtherSid);
  EXPECT_EQ(Deliver(Waiting().back()), DeliveryResult::kResolvedByList);
  EXPECT_EQ(Deliver(two), DeliveryResult::kResolvedByList);
  const auto events = Events();
  EXPECT_NE(events[events.size() - 2].attempt_changed().provider_sid(), Last().provider_sid());
}

TEST_F(InDoubtResolverTest, AssignsTheOnlyMessageToOneOfTwoDuplicatesAfterTheTimeout) {
  const records::v1::WorkRecord one = MakeInDoubt(AtMostOnce(AWork()));
  const records::v1::WorkRecord two = MakeInDoubt(AtMostOnce(Duplicate()));
  AddToList(kSid);
  clock.Advance(seconds(75));
  EXPECT_EQ(Deliver(one), DeliveryResult::kResolvedByList);
  EXPECT_EQ(Deliver(two), DeliveryResult::kResolvedByPolicy);
}

TEST_F(InDoubtResolverTest, AssignsNothingWhileADuplicateIsBeingSent) {
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  const records::v1::WorkRecord duplicate = Duplicate();
  provider.result = FakeProvider::Accepted(kSid);
  provider.during_post = [&] {
    AddToList(kSid);
    EXPECT_EQ(Deliver(lookup), DeliveryResult::kLookupPending);
  };
  EXPECT_EQ(Deliver(duplicate), DeliveryResult::kSent);
}

TEST_F(InDoubtResolverTest, MovesAMessageToTheAttemptThatACallbackNames) {
  const records::v1::WorkRecord one = MakeInDoubt(AWork());
  const records::v1::WorkRecord two = MakeInDoubt(Duplicate());
  AddToList(kSid);
  AddToList(kOtherSid);
  ASSERT_EQ(Deliver(one), DeliveryResult::kResolvedByList);
  const std::string guessed = Last().provider_sid();
  EXPECT_EQ(CallBack(two.attempt(), guessed.c_str()), DeliveryResult::kCallbackHandled);
  EXPECT_EQ(Deliver(two), DeliveryResult::kResolvedByCallback);
  EXPECT_EQ(Last().provider_sid(), guessed);
}

TEST_F(InDoubtResolverTest, ResolvesAnAttemptThatTheStoreDoesNotKnow) {  // R6
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  claims.LoseData();
  EXPECT_EQ(Deliver(lookup).error().code, ErrorCode::kRedisUnavailable);
  claims.SetDown(false);
  AddToList(kSid);
  EXPECT_EQ(Deliver(lookup), DeliveryResult::kResolvedByList);
}

TEST_F(InDoubtResolverTest, RetriesAFailedDelivery) {  // R2, S3
  provider.result = FakeProvider::Accepted(kSid);
  const records::v1::WorkRecord work = AWork();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_EQ(CallBack(work.attempt(), kSid, v1::ATTEMPT_STATUS_UNDELIVERED,
                     records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY),
            DeliveryResult::kCallbackHandled);
  EXPECT_EQ(Last().status(), v1::ATTEMPT_STATUS_UNDELIVERED);
  EXPECT_EQ(Last().next_attempt(), 2);
  ASSERT_FALSE(Waiting().empty());
  EXPECT_EQ(Waiting().back().attempt().attempt(), 2);
  EXPECT_EQ(Waiting().back().retry_budget().attempts_used(), 2);
}

TEST_F(InDoubtResolverTest, FindsTheWorkOfACallbackInTheLogAfterTheStoreLostIt) {  // R1
  provider.result = FakeProvider::Accepted(kSid);
  const records::v1::WorkRecord work = AWork();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  claims.LoseData();
  claims.SetDown(false);
  EXPECT_EQ(CallBack(work.attempt(), kSid, v1::ATTEMPT_STATUS_UNDELIVERED,
                     records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY),
            DeliveryResult::kCallbackHandled);
  EXPECT_THAT(Waiting(), IsEmpty());  // the log has deleted it
  IncomingRecord record = RecordOf(work);
  record.position.set_offset(7);
  log_history.older.push_back(record);
  EXPECT_EQ(CallBack(work.attempt(), kSid, v1::ATTEMPT_STATUS_UNDELIVERED,
                     records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY),
            DeliveryResult::kCallbackHandled);
  ASSERT_THAT(Waiting(), SizeIs(1));
  EXPECT_EQ(Waiting()[0].attempt().attempt(), 2);
}

TEST_F(InDoubtResolverTest, DoesNotRetryAPermanentFailure) {  // R2
  provider.result = FakeProvider::Accepted(kSid);
  const records::v1::WorkRecord work = AWork();
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  const size_t before = log.Records().size();
  EXPECT_EQ(CallBack(work.attempt(), kSid, v1::ATTEMPT_STATUS_UNDELIVERED,
                     records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER),
            DeliveryResult::kCallbackHandled);
  EXPECT_EQ(CallBack(work.attempt(), kSid, v1::ATTEMPT_STATUS_DELIVERED),
            DeliveryResult::kCallbackHandled);
  EXPECT_THAT(log.Records(), SizeIs(before));
}

TEST_F(InDoubtResolverTest, DeadLettersWhenTheRetryBudgetIsExhausted) {  // R2, R3
  provider.result = FakeProvider::Accepted(kSid);
  records::v1::WorkRecord work = AWork();
  work.mutable_retry_budget()->set_attempts_used(5);
  ASSERT_EQ(Deliver(work), DeliveryResult::kSent);
  EXPECT_EQ(CallBack(work.attempt(), kSid, v1::ATTEMPT_STATUS_FAILED,
                     records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY),
            DeliveryResult::kCallbackHandled);
  EXPECT_EQ(Last().reason(), "RETRIES_EXHAUSTED");
  EXPECT_TRUE(Last().last());
  EXPECT_THAT(Dead(), SizeIs(1));
}

TEST_F(InDoubtResolverTest, HandlesACallbackOnlyWhenTheStoreResponds) {  // R1
  const records::v1::WorkRecord lookup = MakeInDoubt(AWork());
  claims.SetDown(true);
  EXPECT_EQ(CallBack(lookup.attempt(), kSid).error().code, ErrorCode::kRedisUnavailable);
}

}  // namespace
}  // namespace tocsin
