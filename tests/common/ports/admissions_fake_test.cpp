#include "tests/common/ports/admissions_contract.h"
#include "tests/fakes/admissions.h"

namespace tocsin {
namespace {

class FakeWorld {
 public:
  Admissions& admissions() { return admissions_; }
  void Taken(const std::string& alert_id) { admissions_.SetTaken(alert_id); }
  void LoseMemory() { admissions_.LoseMemory(); }

 private:
  FakeAdmissions admissions_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, AdmissionsContract, FakeWorld);

}  // namespace
}  // namespace tocsin
