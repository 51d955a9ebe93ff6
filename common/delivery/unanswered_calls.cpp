#include "common/delivery/unanswered_calls.h"

#include <chrono>
#include <vector>

namespace tocsin {
namespace {

// Of the request to end a call.
constexpr std::chrono::seconds kEndTimeout{5};

}  // namespace

Task<Status> UnansweredCalls::End(const std::string& alert_id) {
  TOCSIN_CO_TRY(const std::vector<records::v1::AttemptResult> calls,
                co_await parts_.claims.FindCallsToEnd(alert_id));
  const auto registry = parts_.registry.Now();
  for (const records::v1::AttemptResult& call : calls) {
    const Account* account = registry->FindAccount(call.account_sid());
    if (account == nullptr) continue;
    (void)co_await parts_.ender.EndUnanswered(*account, call.provider_sid(),
                                              parts_.clock.SteadyNow() + kEndTimeout);
  }
  co_return {};
}

}  // namespace tocsin
