#include "tests/common/ports/claims_contract.h"
#include "tests/common/ports/plan_claims_contract.h"
#include "tests/common/ports/resolution_contract.h"
#include "tests/common/ports/unreconciled_attempts_contract.h"
#include "tests/fakes/await.h"
#include "tests/fakes/claims.h"
#include "tests/fakes/manual_clock.h"

namespace tocsin {
namespace {

class FakeWorld {
 public:
  Claims& claims() { return claims_; }
  UnreconciledAttempts& unreconciled_attempts() { return claims_; }
  template <typename T>
  T Wait(Task<T> task) {
    return Await(std::move(task));
  }
  void Mark(const std::string& alert_id, const std::string& reason) {
    claims_.Mark(alert_id, reason);
  }
  void LoseData() { claims_.LoseData(); }
  void WaitForLease(Micros lease, const std::function<bool()>& lapsed) {
    clock_.Advance(lease);
    EXPECT_TRUE(lapsed());
  }

 private:
  ManualClock clock_;
  FakeClaims claims_{clock_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, ClaimsContract, FakeWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, PlanClaimsContract, FakeWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, ResolutionContract, FakeWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, UnreconciledAttemptsContract, FakeWorld);

}  // namespace
}  // namespace tocsin
