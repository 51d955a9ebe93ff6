// When something is tried or looked at again, for any numbers: bounds hold, a repetition waits the
// same, and nothing is planned before it is allowed or after the horizon. R2, R4, A5, V3.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "common/domain/backoff.h"
#include "common/domain/call_retry.h"
#include "common/domain/settlement.h"
#include "common/domain/waiting.h"

namespace tocsin {
namespace {

constexpr std::int64_t kNow = 1'767'225'600'000'000;
constexpr std::int64_t kDay = 86'400'000'000;

BackoffPolicy AnyBackoff() {
  const auto base = *rc::gen::inRange<std::int64_t>(1, 600'000'000);
  return {.base = Micros(base), .cap = Micros(*rc::gen::inRange<std::int64_t>(base, kDay))};
}

std::string AnySeed() { return *rc::gen::nonEmpty<std::string>(); }

v1::WorkRecord AnyWork() {
  v1::WorkRecord work;
  work.mutable_try_()->set_alert_id(std::to_string(*rc::gen::arbitrary<std::uint32_t>()));
  work.mutable_try_()->set_step(*rc::gen::inRange(1U, 4U));
  work.mutable_try_()->set_try_(*rc::gen::inRange(1U, 60U));
  work.set_channel(*rc::gen::element(v1::CHANNEL_SMS, v1::CHANNEL_VOICE));
  work.set_class_(*rc::gen::element(v1::ALERT_CLASS_EMERGENCY, v1::ALERT_CLASS_NORMAL));
  work.set_not_after_us(kNow + *rc::gen::inRange<std::int64_t>(0, kDay));
  work.mutable_budget()->set_limit(*rc::gen::inRange(1U, 10U));
  work.mutable_budget()->set_used(*rc::gen::inRange(1U, work.budget().limit() + 1));
  work.mutable_budget()->set_free_waits(*rc::gen::inRange(0U, 100U));
  return work;
}

TEST(SchedulePropertyTest, WaitsBetweenNothingAndTheCeilingOfTheAttempt) {
  EXPECT_TRUE(rc::check([] {
    const BackoffPolicy policy = AnyBackoff();
    const auto attempt = *rc::gen::inRange(1U, 200U);
    const Micros wait = BackoffDelay(policy, attempt, AnySeed(), Micros(0));
    const double ceiling = std::min(
        std::ldexp(static_cast<double>(policy.base.count()), static_cast<int>(attempt) - 1),
        static_cast<double>(policy.cap.count()));
    RC_ASSERT(wait >= Micros(0));
    RC_ASSERT(static_cast<double>(wait.count()) <= ceiling);
  }));
}

TEST(SchedulePropertyTest, WaitsTheSameForTheSameTryWhoeverAsks) {
  EXPECT_TRUE(rc::check([] {
    const BackoffPolicy policy = AnyBackoff();
    const auto attempt = *rc::gen::inRange(1U, 20U);
    const std::string seed = AnySeed();
    RC_ASSERT(BackoffDelay(policy, attempt, seed, Micros(0)) ==
              BackoffDelay(policy, attempt, seed, Micros(0)));
  }));
}

TEST(SchedulePropertyTest, SpreadsTriesThatFailTogetherOverTheWholeWait) {
  EXPECT_TRUE(rc::check([] {
    constexpr size_t kTries = 2000;
    constexpr std::int64_t kParts = 10;
    const BackoffPolicy policy{.base = std::chrono::seconds(2), .cap = std::chrono::seconds(2)};
    const std::string alert = AnySeed();
    std::array<size_t, kParts> met{};
    for (size_t i = 0; i < kTries; ++i) {
      const Micros wait = BackoffDelay(policy, 1, alert + ".1." + std::to_string(i), Micros(0));
      ++met[static_cast<size_t>(std::min(wait.count() * kParts / policy.cap.count(), kParts - 1))];
    }
    // 200 expected in each, deviation 13: half and double lie beyond any chance.
    RC_ASSERT(*std::min_element(met.begin(), met.end()) > kTries / kParts / 2);
    RC_ASSERT(*std::max_element(met.begin(), met.end()) < kTries / kParts * 2);
  }));
}

TEST(SchedulePropertyTest, NeverAsksAgainBeforeTheTimeThatTheRefusingSideNamed) {
  EXPECT_TRUE(rc::check([] {
    const BackoffPolicy policy = AnyBackoff();
    const Micros named(*rc::gen::inRange<std::int64_t>(0, kDay));
    const Micros wait = BackoffDelay(policy, *rc::gen::inRange(1U, 20U), AnySeed(), named);
    RC_ASSERT(wait >= named);
    RC_ASSERT(wait <= std::max(policy.cap, named));
  }));
}

TEST(SchedulePropertyTest, PlansNoTryBeforeItIsAllowedNorAfterTheHorizonNorBeyondTheBudget) {
  EXPECT_TRUE(rc::check([] {
    const v1::WorkRecord work = AnyWork();
    v1::Receipt receipt;
    receipt.set_outcome(*rc::gen::element(v1::RECEIPT_OUTCOME_RATE_LIMITED,
                                          v1::RECEIPT_OUTCOME_NOT_SENT,
                                          v1::RECEIPT_OUTCOME_REFUSED));
    receipt.set_provider_code(*rc::gen::element(0, 20003, 20429, 21611, 21614, 30003));
    receipt.set_ended_us(kNow);
    receipt.set_retry_after_us(*rc::gen::inRange<std::int64_t>(0, kDay));
    const Settlement settled = Settle(work, receipt, {}, "+15017122661");
    const Settlement again = Settle(work, receipt, {}, "+15017122661");
    RC_ASSERT(settled.follow_up.has_value() == again.follow_up.has_value());
    if (!settled.follow_up) return;
    const v1::WorkRecord& next = *settled.follow_up;
    RC_ASSERT(next.SerializeAsString() == again.follow_up->SerializeAsString());
    RC_ASSERT(next.due_time_us() >= kNow + receipt.retry_after_us());
    RC_ASSERT(next.due_time_us() < work.not_after_us());
    RC_ASSERT(next.try_().try_() == work.try_().try_() + 1);
    RC_ASSERT(next.budget().used() <= next.budget().limit());
    RC_ASSERT(next.budget().used() + next.budget().free_waits() ==
              work.budget().used() + work.budget().free_waits() + 1);
  }));
}

TEST(SchedulePropertyTest, LooksIntoADoubtAtRisingTimesAndLastWhenItsLimitIsOver) {
  EXPECT_TRUE(rc::check([] {
    const DoubtSchedule schedule{
        .first_look = Micros(*rc::gen::inRange<std::int64_t>(10'000, 600'000'000)),
        .emergency_limit = Micros(*rc::gen::inRange<std::int64_t>(10'000, 600'000'000)),
        .other_limit = Micros(*rc::gen::inRange<std::int64_t>(10'000, 600'000'000))};
    v1::Receipt doubt;
    doubt.set_outcome(v1::RECEIPT_OUTCOME_IN_DOUBT);
    doubt.set_began_us(kNow);
    doubt.set_ended_us(kNow + 1);
    v1::WorkRecord look = FirstLook(AnyWork(), doubt, schedule);
    const WallTime limit = PolicyTime(look, schedule);
    WallTime before = FromUnixMicros(kNow);
    while (DueTime(look) < limit) {
      RC_ASSERT(DueTime(look) > before);
      before = DueTime(look);
      look = NextLook(look, schedule);
    }
    RC_ASSERT(DueTime(look) == limit);
  }));
}

TEST(SchedulePropertyTest, PlacesNoCallBeyondItsCapNorAfterTheHorizon) {
  EXPECT_TRUE(rc::check([] {
    const CallRetryPolicy policy{.calls = *rc::gen::inRange(1U, 8U)};
    v1::WorkRecord work = AnyWork();
    WallTime now = FromUnixMicros(kNow);
    unsigned placed = 1;
    while (true) {
      const v1::TryStatus outcome =
          *rc::gen::element(v1::TRY_STATUS_BUSY, v1::TRY_STATUS_NO_ANSWER,
                            v1::TRY_STATUS_ANSWERED_MACHINE, v1::TRY_STATUS_ANSWERED_HUMAN);
      const auto next = NextCall(work, outcome, now, policy);
      if (!next) break;
      RC_ASSERT(outcome != v1::TRY_STATUS_ANSWERED_HUMAN);
      RC_ASSERT(DueTime(*next) > now);
      RC_ASSERT(next->due_time_us() < work.not_after_us());
      now = DueTime(*next);
      work = *next;
      RC_ASSERT(++placed <= policy.calls);
    }
  }));
}

TEST(SchedulePropertyTest, LetsWorkWaitInTiersWhoseTimeFitsAndNeverPastItsDueTime) {
  EXPECT_TRUE(rc::check([] {
    const Topics topics;
    v1::WorkRecord work = AnyWork();
    work.set_due_time_us(kNow + *rc::gen::inRange<std::int64_t>(-1'000'000, 7 * kDay));
    work.set_send_at_us(*rc::gen::element<std::int64_t>(0, kNow + 3'600'000'000));
    const WallTime now = FromUnixMicros(kNow);
    const auto tier = topics.TierOf(NextStop(topics, work, now));
    RC_ASSERT(tier.has_value() == (DueTime(work) > now));
    if (!tier) return;
    const WallTime moves_on = MovesOn(*tier, now, work);
    RC_ASSERT(moves_on > now);
    RC_ASSERT(moves_on <= DueTime(work));
    if (*tier != DelayTier::k5s) RC_ASSERT(moves_on == now + ResidenceOf(*tier));
  }));
}

}  // namespace
}  // namespace tocsin
