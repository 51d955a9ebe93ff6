#include "common/delivery/unanswered_calls.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/async/when_all.h"

namespace tocsin {
namespace {

// Of the request to end a call.
constexpr std::chrono::seconds kEndTimeout{5};
constexpr std::size_t kMaxConcurrentRequests = 8;

}  // namespace

Task<Status> UnansweredCalls::End(const std::string& alert_id) {
  TOCSIN_CO_TRY(const std::vector<records::v1::AttemptResult> calls,
                co_await parts_.claims.FindCallsToEnd(alert_id));
  const auto registry = parts_.registry.Now();
  std::size_t next = 0;
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < std::min(calls.size(), kMaxConcurrentRequests); ++i)
    tasks.push_back(EndNext(calls, next, *registry));
  co_await WhenAll(std::move(tasks));
  co_return {};
}

// Ends one call after the other until none is left. Others do the same with `next`.
Task<void> UnansweredCalls::EndNext(const std::vector<records::v1::AttemptResult>& calls,
                                    std::size_t& next, const RegistrySnapshot& registry) {
  while (next < calls.size()) {
    const records::v1::AttemptResult& call = calls[next++];
    const Account* account = registry.FindAccount(call.account_sid());
    if (account == nullptr) continue;
    (void)co_await parts_.ender.EndUnanswered(*account, call.provider_sid(),
                                              parts_.clock.SteadyNow() + kEndTimeout);
  }
}

}  // namespace tocsin
