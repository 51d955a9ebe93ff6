#include "common/domain/delivery/reconciliation_plan.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "common/domain/delivery/in_doubt.h"

namespace tocsin {
namespace {

// Appends a list for each run of attempts, given in the order of their acceptance.
void AppendLists(const std::string& account_sid,
                 const std::vector<const UnreconciledAttempt*>& sent,
                 std::vector<PlannedList>& lists) {
  std::size_t begin = 0;
  for (std::size_t i = 1; i <= sent.size(); ++i) {
    if (i < sent.size() && AcceptedAt(*sent[i]) - AcceptedAt(*sent[i - 1]) <= kMaxGapInList)
      continue;
    PlannedList list{.account_sid = account_sid,
                     .from = AcceptedAt(*sent[begin]) - kProviderClockSkew,
                     .until = AcceptedAt(*sent[i - 1]) + kSentWithin,
                     .attempt_count = i - begin};
    for (; begin < i; ++begin) list.unended_count += sent[begin]->ended ? 0 : 1;
    if (list.attempt_count >= kMinPerList) lists.push_back(std::move(list));
  }
}

}  // namespace

void SortByUrgency(std::vector<UnreconciledAttempt>& due, const ReconcileSchedule& schedule) {
  std::ranges::stable_sort(due, {}, [&](const UnreconciledAttempt& attempt) {
    return std::pair(attempt.ended,
                     attempt.ended ? WallTime() : UnconfirmedFrom(attempt, schedule));
  });
}

std::vector<PlannedList> PlanLists(const std::vector<UnreconciledAttempt>& due) {
  std::map<std::string, std::vector<const UnreconciledAttempt*>> by_account;
  for (const UnreconciledAttempt& attempt : due)
    if (attempt.holds_sid && !attempt.result.provider_sid().empty())
      by_account[attempt.result.account_sid()].push_back(&attempt);
  std::vector<PlannedList> lists;
  for (auto& [account_sid, sent] : by_account) {
    std::ranges::sort(sent, {},
                      [](const UnreconciledAttempt* attempt) { return AcceptedAt(*attempt); });
    AppendLists(account_sid, sent, lists);
  }
  std::ranges::stable_sort(lists, std::ranges::greater(), [](const PlannedList& list) {
    return std::pair(list.unended_count, list.attempt_count);
  });
  return lists;
}

bool IsUsableFromList(const Reconciled& found) {
  return found.finding != Finding::kUnconfirmed && found.finding != Finding::kGivenUp;
}

}  // namespace tocsin
