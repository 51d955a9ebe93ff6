#include "tests/common/ports/claims_contract.h"
#include "tests/common/ports/open_tries_contract.h"
#include "tests/fakes/claims.h"
#include "tests/fakes/manual_clock.h"

namespace tocsin {
namespace {

class FakeWorld {
 public:
  Claims& claims() { return claims_; }
  OpenTries& open_tries() { return claims_; }
  void Mark(const std::string& alert_id, const std::string& reason) {
    claims_.Mark(alert_id, reason);
  }
  void LoseMemory() { claims_.LoseMemory(); }
  void Pass(Micros lease, const std::function<bool()>& over) {
    clock_.Advance(lease);
    EXPECT_TRUE(over());
  }

 private:
  ManualClock clock_;
  FakeClaims claims_{clock_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, ClaimsContract, FakeWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, OpenTriesContract, FakeWorld);

}  // namespace
}  // namespace tocsin
