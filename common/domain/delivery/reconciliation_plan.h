// Which attempts a run of the reconciliation looks up first, and which of them one list of the
// provider can replace (pure).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/domain/delivery/unreconciled_attempt.h"

namespace tocsin {

// Attempts that a list must contain to be read: otherwise each is fetched. The same number is
// expected of each further page.
constexpr std::size_t kMinPerList = 10;

// Attempts accepted one after the other within this time are in one list.
constexpr Micros kMaxGapInList = std::chrono::minutes(2);

// A message is in the list if it was sent this soon after its acceptance.
constexpr Micros kSentWithin = std::chrono::minutes(10);

// A list of what an account sent within a time, both ends included.
struct PlannedList {
  std::string account_sid;
  WallTime from;
  WallTime until;
  std::size_t unended_count = 0;  // attempts in it without a final status
  std::size_t attempt_count = 0;
};

// Sorts attempts without a final status to the front, the nearest deadline (UnconfirmedFrom) first.
// The others keep their order.
void SortByUrgency(std::vector<UnreconciledAttempt>& due, const ReconcileSchedule& schedule);

// The lists that replace many fetches, those with the most attempts without a final status first.
std::vector<PlannedList> PlanLists(const std::vector<UnreconciledAttempt>& due);

// Whether `found`, from a list, may be used. A list may be old or incomplete: that there is nothing
// to wait for any more is only concluded from a fetch.
bool IsUsableFromList(const Reconciled& found);

}  // namespace tocsin
