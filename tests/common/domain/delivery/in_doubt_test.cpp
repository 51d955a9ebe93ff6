// When an attempt in doubt is looked up, what resolves it, and which result is kept. R4
#include "common/domain/delivery/in_doubt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

constexpr std::int64_t kPost = 1'767'225'600'000'000;
constexpr std::int64_t kInDoubt = kPost + 30'000'000;

records::v1::WorkRecord Work(v1::Priority priority = v1::PRIORITY_NORMAL) {
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_alert_id("0190aaaa-0000-7000-8000-000000000000");
  work.mutable_attempt()->set_step(1);
  work.mutable_attempt()->set_attempt(3);
  work.set_kind(records::v1::WORK_KIND_ATTEMPT);
  work.set_priority(priority);
  work.mutable_acceptance()->set_nonce("n");
  work.mutable_rate_reservation()->set_sender_id("main");
  return work;
}

records::v1::WorkRecord Lookup(v1::Priority priority = v1::PRIORITY_NORMAL,
                               const InDoubtSchedule& schedule = {}) {
  records::v1::AttemptResult in_doubt;
  in_doubt.set_outcome(records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  in_doubt.set_begin_time_us(kPost);
  in_doubt.set_end_time_us(kInDoubt);
  in_doubt.set_sender_id("main");
  in_doubt.set_account_sid("AC1");
  return FirstLookup(Work(priority), in_doubt, schedule);
}

// Seconds after the attempt became in in_doubt, including the last lookup.
std::vector<std::int64_t> Times(records::v1::WorkRecord lookup,
                                const InDoubtSchedule& schedule = {}) {
  std::vector<std::int64_t> times;
  while (true) {
    times.push_back((lookup.due_time_us() - kInDoubt) / 1'000'000);
    if (FromUnixMicros(lookup.due_time_us()) >= PolicyTime(lookup, schedule)) return times;
    lookup = NextLookup(lookup, schedule);
  }
}

TEST(InDoubtTest, RepeatsLookupsAtDoublingIntervalsUntilTheTimeoutOfThePriority) {
  EXPECT_THAT(Times(Lookup(v1::PRIORITY_EMERGENCY)), ElementsAre(1, 3, 7, 15));
  for (const auto priority : {v1::PRIORITY_HIGH, v1::PRIORITY_NORMAL, v1::PRIORITY_BULK})
    EXPECT_THAT(Times(Lookup(priority)), ElementsAre(1, 3, 7, 15, 31, 63, 75));
}

TEST(InDoubtTest, SupportsAScheduleWithASingleLookup) {
  const InDoubtSchedule once{.initial_delay = seconds(600),
                             .emergency_timeout = seconds(2),
                             .default_timeout = seconds(4)};
  EXPECT_THAT(Times(Lookup(v1::PRIORITY_EMERGENCY, once), once), ElementsAre(2));
  EXPECT_THAT(Times(Lookup(v1::PRIORITY_NORMAL, once), once), ElementsAre(4));
}

TEST(InDoubtTest, NeverSchedulesALookupAfterTheTimeout) {
  records::v1::WorkRecord lookup = Lookup();
  for (int i = 0; i < 100; ++i) lookup = NextLookup(lookup, {});
  EXPECT_EQ(FromUnixMicros(lookup.due_time_us()), PolicyTime(lookup, {}));
}

TEST(InDoubtTest, LeavesNoInDoubtStateInTheNextAttempt) {
  const records::v1::WorkRecord lookup = Lookup();
  EXPECT_EQ(lookup.kind(), records::v1::WORK_KIND_RESOLVE);
  EXPECT_FALSE(lookup.has_rate_reservation() || lookup.has_acceptance());
  EXPECT_EQ(lookup.in_doubt().begin_time_us(), kInDoubt);
  EXPECT_EQ(lookup.in_doubt().post_time_us(), kPost);
  const records::v1::WorkRecord work = WithoutInDoubt(lookup);
  EXPECT_EQ(work.kind(), records::v1::WORK_KIND_ATTEMPT);
  EXPECT_FALSE(work.has_in_doubt());
  EXPECT_EQ(work.attempt().attempt(), 3);
}

TEST(InDoubtTest, MatchesEntriesCreatedDuringThePostWithinTheClockSkew) {
  const records::v1::InDoubtState in_doubt = Lookup().in_doubt();
  const WallTime post = FromUnixMicros(kPost);
  const WallTime began = FromUnixMicros(kInDoubt);
  EXPECT_TRUE(MayMatch(in_doubt, post));
  EXPECT_TRUE(MayMatch(in_doubt, began));
  EXPECT_TRUE(MayMatch(in_doubt, post - kProviderClockSkew));
  EXPECT_TRUE(MayMatch(in_doubt, began + kProviderClockSkew));
  EXPECT_FALSE(MayMatch(in_doubt, post - kProviderClockSkew - Micros(1)));
  EXPECT_FALSE(MayMatch(in_doubt, began + kProviderClockSkew + Micros(1)));
}

// An SMS without a requested policy, whose alert expires after two hours.
records::v1::WorkRecord LookupOfSms(const InDoubtSchedule& schedule = {}) {
  records::v1::WorkRecord work = Work();
  work.set_channel(v1::CHANNEL_SMS);
  work.set_expire_time_us(kPost + 7'200'000'000);
  records::v1::AttemptResult in_doubt;
  in_doubt.set_begin_time_us(kPost);
  in_doubt.set_end_time_us(kInDoubt);
  return FirstLookup(work, in_doubt, schedule);
}

TEST(InDoubtTest, ReadsTheListOfAnSmsWhenItCanProveAbsenceAndForAsLongAgain) {
  EXPECT_THAT(Times(LookupOfSms()), ElementsAre(1, 3, 7, 15, 31, 63, 127, 255, 511, 600, 1200));
  const InDoubtSchedule ignores{.resend_absent = false};
  EXPECT_THAT(Times(LookupOfSms(ignores), ignores), ElementsAre(1, 3, 7, 15, 31, 63, 75));
  const InDoubtSchedule once{.initial_delay = seconds(600), .absence_delay = seconds(5)};
  EXPECT_THAT(Times(LookupOfSms(once), once), ElementsAre(5, 75));
}

TEST(InDoubtTest, ProvesAbsenceByThreeCompleteReadingsTheLastAfterTheDelay) {
  const WallTime proof = FromUnixMicros(kInDoubt) + InDoubtSchedule().absence_delay;
  records::v1::WorkRecord lookup = LookupOfSms();
  EXPECT_FALSE(ProvesAbsence(lookup, {}, proof));
  lookup = NextLookup(lookup, {}, /*read_list=*/true);
  lookup = NextLookup(lookup, {}, /*read_list=*/false);
  EXPECT_FALSE(ProvesAbsence(lookup, {}, proof));
  lookup = NextLookup(lookup, {}, /*read_list=*/true);
  EXPECT_TRUE(ProvesAbsence(lookup, {}, proof));
  EXPECT_FALSE(ProvesAbsence(lookup, {}, proof - Micros(1)));
}

struct AbsenceRow {
  const char* name;
  void (*change)(records::v1::WorkRecord& work);
};
class WithoutProofOfAbsence : public testing::TestWithParam<AbsenceRow> {};
TEST_P(WithoutProofOfAbsence, TheInDoubtPolicyDecides) {
  records::v1::WorkRecord lookup = LookupOfSms();
  lookup.mutable_in_doubt()->set_complete_read_count(9);
  ASSERT_TRUE(ResendsIfAbsent(lookup, {}));
  GetParam().change(lookup);
  EXPECT_FALSE(ResendsIfAbsent(lookup, {}));
  EXPECT_FALSE(ProvesAbsence(lookup, {}, FromUnixMicros(kInDoubt) + std::chrono::hours(1)));
  EXPECT_LE(PolicyTime(lookup, {}), FromUnixMicros(kInDoubt) + seconds(75));
}
INSTANTIATE_TEST_SUITE_P(
    Rows, WithoutProofOfAbsence,
    testing::Values(
        AbsenceRow{"of_a_call", [](auto& work) { work.set_channel(v1::CHANNEL_VOICE); }},
        AbsenceRow{"of_an_emergency",
                   [](auto& work) { work.set_priority(v1::PRIORITY_EMERGENCY); }},
        AbsenceRow{"if_the_client_requested_to_fail",
                   [](auto& work) { work.set_in_doubt_policy(v1::IN_DOUBT_POLICY_FAIL); }},
        AbsenceRow{"if_the_client_requested_to_resend",
                   [](auto& work) { work.set_in_doubt_policy(v1::IN_DOUBT_POLICY_RESEND); }},
        AbsenceRow{"if_the_alert_expires_before",
                   [](auto& work) { work.set_expire_time_us(kInDoubt + 600'000'000); }}),
    [](const auto& row) { return row.param.name; });

TEST(InDoubtTest, TrustsNoListByNumberInCountriesWhoseNumbersAreRewritten) {
  EXPECT_TRUE(IsListedAsDialed("+15145550123"));
  for (const char* number : {"+5215512345678", "+5491112345678", "+5511912345678"})
    EXPECT_FALSE(IsListedAsDialed(number)) << number;
}

TEST(InDoubtTest, ListsAllMessagesSinceBeforeThePostButOnlyCallsWithinIt) {
  const WallTime now = FromUnixMicros(kInDoubt) + std::chrono::minutes(10);
  const ListedTimes messages = TimesToList(LookupOfSms(), now);
  EXPECT_EQ(messages.from, FromUnixMicros(kPost) - kAbsenceMargin);
  EXPECT_EQ(messages.until, now + kAbsenceMargin);
  records::v1::WorkRecord call = LookupOfSms();
  call.set_channel(v1::CHANNEL_VOICE);
  EXPECT_EQ(TimesToList(call, now).from, FromUnixMicros(kPost) - kProviderClockSkew);
  EXPECT_EQ(TimesToList(call, now).until, FromUnixMicros(kInDoubt) + kProviderClockSkew);
}

struct PolicyRow {
  const char* name;
  v1::Priority priority;
  v1::InDoubtPolicy wish;
  bool sends_again;
};
class InDoubtPolicies : public testing::TestWithParam<PolicyRow> {};
TEST_P(InDoubtPolicies, DecideWhetherToResend) {
  records::v1::WorkRecord work = Work(GetParam().priority);
  work.set_in_doubt_policy(GetParam().wish);
  EXPECT_EQ(Resends(work), GetParam().sends_again);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, InDoubtPolicies,
    testing::Values(
        PolicyRow{"emergency", v1::PRIORITY_EMERGENCY, v1::IN_DOUBT_POLICY_UNSPECIFIED, true},
        PolicyRow{"high", v1::PRIORITY_HIGH, v1::IN_DOUBT_POLICY_UNSPECIFIED, false},
        PolicyRow{"bulk", v1::PRIORITY_BULK, v1::IN_DOUBT_POLICY_UNSPECIFIED, false},
        PolicyRow{"careful_emergency", v1::PRIORITY_EMERGENCY, v1::IN_DOUBT_POLICY_FAIL, false},
        PolicyRow{"insistent_bulk", v1::PRIORITY_BULK, v1::IN_DOUBT_POLICY_RESEND, true}),
    [](const auto& row) { return row.param.name; });

TEST(InDoubtTest, ACallThatEndedWithAMachineReachedNobody) {
  records::v1::WebhookRecord callback;
  callback.mutable_attempt()->set_alert_id("an alert");
  callback.set_kind(records::v1::WEBHOOK_KIND_VOICE_STATUS);
  callback.set_status(v1::ATTEMPT_STATUS_DELIVERED);  // completed
  EXPECT_EQ(ProvenByCallback(callback).status(), v1::ATTEMPT_STATUS_DELIVERED);
  callback.set_answered_by(v1::ANSWERED_BY_MACHINE);
  EXPECT_EQ(ProvenByCallback(callback).status(), v1::ATTEMPT_STATUS_NO_ANSWER);
}

TEST(InDoubtTest, RanksEveryOutcomeByItsProof) {
  records::v1::AttemptResult in_doubt;
  in_doubt.set_outcome(records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  records::v1::AttemptResult answered;
  answered.set_outcome(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  records::v1::WebhookRecord callback;
  callback.set_provider_sid("SM1");
  records::v1::WebhookRecord key = callback;
  key.mutable_attempt()->set_alert_id("an alert");
  key.set_kind(records::v1::WEBHOOK_KIND_VOICE_GATHER);
  key.set_status(v1::ATTEMPT_STATUS_ANSWERED_HUMAN);
  const std::vector<records::v1::AttemptResult> rising{
      in_doubt,
      UnresolvedByPolicy(Lookup(), FromUnixMicros(kInDoubt)),
      FoundInList(Lookup(), "SM1", FromUnixMicros(kInDoubt)),
      ProvenByCallback(callback),
      answered,
      ProvenByCallback(key)};
  for (size_t i = 1; i < rising.size(); ++i)
    EXPECT_GT(ProofOf(rising[i]), ProofOf(rising[i - 1])) << i;
  EXPECT_EQ(ProofOf(AbsentFromList(Lookup(), {})), Proof::kUnresolved);
  records::v1::AttemptResult expired;
  expired.set_outcome(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
  expired.set_reason("EXPIRED");
  EXPECT_EQ(ProofOf(expired), Proof::kUnresolved) << "another worker may have sent it";
  for (const auto outcome :
       {records::v1::ATTEMPT_OUTCOME_REFUSED, records::v1::ATTEMPT_OUTCOME_RATE_LIMITED}) {
    records::v1::AttemptResult refused;
    refused.set_outcome(outcome);
    EXPECT_EQ(ProofOf(refused), Proof::kCertain);
  }
}

TEST(InDoubtTest, TreatsSameRecipientAndTextAsDuplicates) {
  records::v1::WorkRecord one = Work();
  one.mutable_recipient()->set_token("a person");
  one.set_body_digest("a text");
  records::v1::WorkRecord two = one;
  two.mutable_attempt()->set_alert_id("another");
  EXPECT_EQ(DuplicateKey(one), DuplicateKey(two));
  two.set_body_digest("another text");
  EXPECT_NE(DuplicateKey(one), DuplicateKey(two));
}

}  // namespace
}  // namespace tocsin
