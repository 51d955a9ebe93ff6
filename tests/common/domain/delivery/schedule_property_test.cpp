// Properties of all schedules: bounds hold, a repetition gives the same delay, and nothing is due
// too early or after the expire time. R2, R4, A5, V3.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "common/domain/delivery/backoff.h"
#include "common/domain/delivery/call_retry.h"
#include "common/domain/delivery/due_time.h"
#include "common/domain/delivery/follow_up.h"
#include "common/twilio/error_codes.h"

namespace tocsin {
namespace {

constexpr std::int64_t kNow = 1'767'225'600'000'000;
constexpr std::int64_t kDay = 86'400'000'000;

BackoffPolicy AnyBackoff() {
  const auto base = *rc::gen::inRange<std::int64_t>(1, 600'000'000);
  return {.base = Micros(base), .cap = Micros(*rc::gen::inRange<std::int64_t>(base, kDay))};
}

std::string AnySeed() { return *rc::gen::nonEmpty<std::string>(); }

records::v1::WorkRecord AnyWork() {
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_alert_id(std::to_string(*rc::gen::arbitrary<std::uint32_t>()));
  work.mutable_attempt()->set_step(*rc::gen::inRange(1, 4));
  work.mutable_attempt()->set_attempt(*rc::gen::inRange(1, 60));
  work.set_channel(*rc::gen::element(v1::CHANNEL_SMS, v1::CHANNEL_VOICE));
  work.set_priority(*rc::gen::element(v1::PRIORITY_EMERGENCY, v1::PRIORITY_NORMAL));
  work.set_expire_time_us(kNow + *rc::gen::inRange<std::int64_t>(0, kDay));
  work.mutable_retry_budget()->set_attempts_max(*rc::gen::inRange(1, 10));
  work.mutable_retry_budget()->set_attempts_used(
      *rc::gen::inRange(1, work.retry_budget().attempts_max() + 1));
  work.mutable_retry_budget()->set_unmetered_retries(*rc::gen::inRange(0, 100));
  return work;
}

TEST(SchedulePropertyTest, DelaysBetweenZeroAndTheCapOfTheAttempt) {
  EXPECT_TRUE(rc::check([] {
    const BackoffPolicy policy = AnyBackoff();
    const auto attempt = *rc::gen::inRange(1, 200);
    const Micros wait = BackoffDelay(policy, attempt, AnySeed(), Micros(0));
    const double ceiling = std::min(
        std::ldexp(static_cast<double>(policy.base.count()), static_cast<int>(attempt) - 1),
        static_cast<double>(policy.cap.count()));
    RC_ASSERT(wait >= Micros(0));
    RC_ASSERT(static_cast<double>(wait.count()) <= ceiling);
  }));
}

TEST(SchedulePropertyTest, GivesTheSameDelayForTheSameAttempt) {
  EXPECT_TRUE(rc::check([] {
    const BackoffPolicy policy = AnyBackoff();
    const auto attempt = *rc::gen::inRange(1, 20);
    const std::string seed = AnySeed();
    RC_ASSERT(BackoffDelay(policy, attempt, seed, Micros(0)) ==
              BackoffDelay(policy, attempt, seed, Micros(0)));
  }));
}

TEST(SchedulePropertyTest, SpreadsSimultaneousRetriesOverTheWholeDelay) {
  EXPECT_TRUE(rc::check([] {
    constexpr size_t kAttempts = 2000;
    constexpr std::int64_t kParts = 10;
    const BackoffPolicy policy{.base = std::chrono::seconds(2), .cap = std::chrono::seconds(2)};
    const std::string alert = AnySeed();
    std::array<size_t, kParts> met{};
    for (size_t i = 0; i < kAttempts; ++i) {
      const Micros wait = BackoffDelay(policy, 1, alert + ".1." + std::to_string(i), Micros(0));
      ++met[static_cast<size_t>(std::min(wait.count() * kParts / policy.cap.count(), kParts - 1))];
    }
    // 200 expected in each, deviation 13: half and double lie beyond any chance.
    RC_ASSERT(*std::min_element(met.begin(), met.end()) > kAttempts / kParts / 2);
    RC_ASSERT(*std::max_element(met.begin(), met.end()) < kAttempts / kParts * 2);
  }));
}

TEST(SchedulePropertyTest, NeverRetriesBeforeRetryAfter) {
  EXPECT_TRUE(rc::check([] {
    const BackoffPolicy policy = AnyBackoff();
    const Micros named(*rc::gen::inRange<std::int64_t>(0, kDay));
    const Micros wait = BackoffDelay(policy, *rc::gen::inRange(1, 20), AnySeed(), named);
    RC_ASSERT(wait >= named);
    RC_ASSERT(wait <= std::max(policy.cap, named));
  }));
}

TEST(SchedulePropertyTest, NeverRetriesTooEarlyAfterTheExpireTimeOrBeyondTheBudget) {
  EXPECT_TRUE(rc::check([] {
    const records::v1::WorkRecord work = AnyWork();
    records::v1::AttemptResult result;
    result.set_outcome(*rc::gen::element(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED,
                                         records::v1::ATTEMPT_OUTCOME_NOT_SENT,
                                         records::v1::ATTEMPT_OUTCOME_REFUSED));
    result.set_provider_code(*rc::gen::element(0, 20003, 20429, 21611, 21614, 30003));
    if (result.provider_code() != 0)
      result.set_error_class(twilio::Describe(result.provider_code()).error_class);
    result.set_end_time_us(kNow);
    result.set_retry_after_us(*rc::gen::inRange<std::int64_t>(0, kDay));
    const FollowUp follow_up = Decide(work, result, {}, "+15017122661");
    const FollowUp again = Decide(work, result, {}, "+15017122661");
    RC_ASSERT(follow_up.next_work.has_value() == again.next_work.has_value());
    if (!follow_up.next_work) return;
    const records::v1::WorkRecord& next = *follow_up.next_work;
    RC_ASSERT(next.SerializeAsString() == again.next_work->SerializeAsString());
    RC_ASSERT(next.due_time_us() >= kNow + result.retry_after_us());
    RC_ASSERT(next.due_time_us() < work.expire_time_us());
    RC_ASSERT(next.attempt().attempt() == work.attempt().attempt() + 1);
    RC_ASSERT(next.retry_budget().attempts_used() <= next.retry_budget().attempts_max());
    RC_ASSERT(next.retry_budget().attempts_used() + next.retry_budget().unmetered_retries() ==
              work.retry_budget().attempts_used() + work.retry_budget().unmetered_retries() + 1);
  }));
}

TEST(SchedulePropertyTest, RepeatsLookupsAtIncreasingTimesAndLastWhenTheTimeoutExpires) {
  EXPECT_TRUE(rc::check([] {
    const InDoubtSchedule schedule{
        .initial_delay = Micros(*rc::gen::inRange<std::int64_t>(10'000, 600'000'000)),
        .emergency_timeout = Micros(*rc::gen::inRange<std::int64_t>(10'000, 600'000'000)),
        .default_timeout = Micros(*rc::gen::inRange<std::int64_t>(10'000, 600'000'000))};
    records::v1::AttemptResult in_doubt;
    in_doubt.set_outcome(records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
    in_doubt.set_begin_time_us(kNow);
    in_doubt.set_end_time_us(kNow + 1);
    records::v1::WorkRecord lookup = FirstLookup(AnyWork(), in_doubt, schedule);
    const WallTime limit = PolicyTime(lookup, schedule);
    WallTime before = FromUnixMicros(kNow);
    while (DueTime(lookup) < limit) {
      RC_ASSERT(DueTime(lookup) > before);
      before = DueTime(lookup);
      lookup = NextLookup(lookup, schedule);
    }
    RC_ASSERT(DueTime(lookup) == limit);
  }));
}

TEST(SchedulePropertyTest, NeverCallsMoreThanAllowedOrAfterTheExpireTime) {
  EXPECT_TRUE(rc::check([] {
    const CallRetryPolicy policy{.max_calls = *rc::gen::inRange(1, 8)};
    records::v1::WorkRecord work = AnyWork();
    WallTime now = FromUnixMicros(kNow);
    std::int32_t placed = 1;
    while (true) {
      const v1::AttemptStatus outcome =
          *rc::gen::element(v1::ATTEMPT_STATUS_BUSY, v1::ATTEMPT_STATUS_NO_ANSWER,
                            v1::ATTEMPT_STATUS_ANSWERED_MACHINE, v1::ATTEMPT_STATUS_ANSWERED_HUMAN);
      const auto next = NextCall(work, outcome, now, policy);
      if (!next) break;
      RC_ASSERT(outcome != v1::ATTEMPT_STATUS_ANSWERED_HUMAN);
      RC_ASSERT(DueTime(*next) > now);
      RC_ASSERT(next->due_time_us() < work.expire_time_us());
      now = DueTime(*next);
      work = *next;
      RC_ASSERT(++placed <= policy.max_calls);
    }
  }));
}

}  // namespace
}  // namespace tocsin
