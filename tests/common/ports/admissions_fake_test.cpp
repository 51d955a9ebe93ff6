#include "tests/common/ports/admissions_contract.h"
#include "tests/common/ports/marks_contract.h"
#include "tests/common/ports/replies_contract.h"
#include "tests/common/ports/restored_admissions_contract.h"
#include "tests/fakes/admissions.h"

namespace tocsin {
namespace {

class FakeWorld {
 public:
  Admissions& admissions() { return admissions_; }
  void SetClaimed(const std::string& alert_id) { admissions_.SetClaimed(alert_id); }
  void SetAckCode(const std::string& recipient_token, const std::string& alert_id,
                  const std::string& code) {
    admissions_.SetAckCode(recipient_token, alert_id, code);
  }
  void SetTarget(const ClaimedTarget& target) {
    admissions_.SetTarget(target.alert_id, target.step, target.person, target.work,
                          target.person_count);
    admissions_.SetAckCode(target.recipient_token, target.alert_id, target.code, target.step);
  }
  void SetDelivered(const std::string& alert_id) { admissions_.SetDelivered(alert_id); }
  void LoseData() { admissions_.LoseData(); }
  AcceptanceRestorer& restorer() { return admissions_; }
  void StartRestoring() { admissions_.StartRestoring(); }

 private:
  FakeAdmissions admissions_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, AdmissionsContract, FakeWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, MarksContract, FakeWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, RepliesContract, FakeWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, RestoredAdmissionsContract, FakeWorld);

}  // namespace
}  // namespace tocsin
