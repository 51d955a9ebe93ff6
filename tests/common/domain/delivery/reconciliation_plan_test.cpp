// The order of lookups, and which lists replace fetches. S3
#include "common/domain/delivery/reconciliation_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr WallTime kBegin = FromUnixMicros(1'767'225'600'000'000);

UnreconciledAttempt Accepted(WallTime time, bool ended = false,
                             const std::string& account = "AC1") {
  UnreconciledAttempt attempt;
  attempt.name.set_alert_id(std::to_string(ToUnixMicros(time)) + account);
  attempt.result.set_provider_sid("SM1");
  attempt.result.set_account_sid(account);
  attempt.result.set_begin_time_us(ToUnixMicros(time));
  attempt.ended = ended;
  return attempt;
}

std::vector<UnreconciledAttempt> Every(Micros interval, size_t count, WallTime begin = kBegin,
                                       bool ended = false, const std::string& account = "AC1") {
  std::vector<UnreconciledAttempt> attempts;
  for (size_t i = 0; i < count; ++i)
    attempts.push_back(Accepted(begin + i * interval, ended, account));
  return attempts;
}

TEST(ReconciliationPlanTest, SortsByTheNearestDeadlineAndPricesLast) {
  std::vector<UnreconciledAttempt> due{
      Accepted(kBegin, /*ended=*/true), Accepted(kBegin + hours(2)), Accepted(kBegin + hours(1)),
      Accepted(kBegin - hours(1), /*ended=*/true), Accepted(kBegin + hours(3))};
  due[4].work.emplace().set_expire_time_us(ToUnixMicros(kBegin + hours(4)));
  SortByUrgency(due, {});
  std::vector<std::int64_t> hours_after;
  for (const UnreconciledAttempt& attempt : due)
    hours_after.push_back(std::chrono::floor<hours>(AcceptedAt(attempt) - kBegin).count());
  EXPECT_THAT(hours_after, ElementsAre(3, 1, 2, 0, -1));
}

TEST(ReconciliationPlanTest, PlansAListForManyAttemptsAndNoneForFew) {
  EXPECT_THAT(PlanLists(Every(seconds(1), kMinPerList - 1)), IsEmpty());
  const auto lists = PlanLists(Every(seconds(1), kMinPerList));
  ASSERT_THAT(lists, SizeIs(1));
  EXPECT_EQ(lists[0].account_sid, "AC1");
  EXPECT_LE(lists[0].from, kBegin);
  EXPECT_EQ(lists[0].until, kBegin + seconds(kMinPerList - 1) + kSentWithin);
  EXPECT_EQ(lists[0].attempt_count, kMinPerList);
}

TEST(ReconciliationPlanTest, PlansAListPerAccountAndPeriodThoseWithoutAFinalStatusFirst) {
  std::vector<UnreconciledAttempt> due = Every(seconds(1), 50, kBegin, /*ended=*/true);
  for (const auto& more : {Every(seconds(1), 20, kBegin + hours(1)),
                           Every(seconds(1), 10, kBegin, /*ended=*/false, "AC2")})
    due.insert(due.end(), more.begin(), more.end());
  const auto lists = PlanLists(due);
  ASSERT_THAT(lists, SizeIs(3));
  EXPECT_EQ(lists[0].unended_count, 20u);
  EXPECT_EQ(lists[1].account_sid, "AC2");
  EXPECT_EQ(lists[2].attempt_count, 50u);
  EXPECT_LT(lists[2].until, lists[0].from);
}

TEST(ReconciliationPlanTest, PlansNoListForAttemptsWithoutTheirSid) {
  std::vector<UnreconciledAttempt> due = Every(seconds(1), 2 * kMinPerList);
  for (size_t i = 0; i < due.size(); ++i) {
    if (i % 2 == 0) due[i].holds_sid = false;
    if (i % 4 == 1) due[i].result.clear_provider_sid();
  }
  EXPECT_THAT(PlanLists(due), IsEmpty());
}

TEST(ReconciliationPlanTest, ConcludesOnlyFromAFetchThatNothingFollows) {
  for (const Finding finding : kFindings) {
    Reconciled found;
    found.finding = finding;
    EXPECT_EQ(IsUsableFromList(found),
              finding != Finding::kUnconfirmed && finding != Finding::kGivenUp);
  }
}

}  // namespace
}  // namespace tocsin
