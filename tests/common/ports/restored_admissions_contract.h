// The contract of Admissions and AcceptanceRestorer after the store has lost its data. A world
// provides that of admissions_contract.h, and:
//   AcceptanceRestorer& restorer();
//   void LoseData();
//   void StartRestoring();  // the data is lost, and a new epoch adopted
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/ports/acceptance_restorer.h"
#include "tests/common/ports/admissions_contract.h"

namespace tocsin {

template <typename World>
class RestoredAdmissionsContract : public AdmissionsContract<World> {
 protected:
  // The record in the lane that accepted the request.
  static AcceptedAlert Accepted(const AdmitRequest& request) {
    return {.alert_id = request.alert_id,
            .client_id = request.client_id,
            .idempotency_digest = request.idempotency_digest,
            .request_digest = request.request_digest,
            .create_time = request.create_time,
            .expire_time = request.expire_time,
            .position = RestoredAdmissionsContract::APosition()};
  }
  void Restore(const std::vector<AcceptedAlert>& alerts) {
    const auto epoch = this->world.restorer().AdoptEpoch();
    ASSERT_TRUE(epoch) << epoch.error().message;
    ASSERT_TRUE(this->world.restorer().Restore(*epoch, alerts));
  }
  void MarkRestored() {
    const auto epoch = this->world.restorer().AdoptEpoch();
    ASSERT_TRUE(epoch) << epoch.error().message;
    EXPECT_FALSE(epoch->restored);
    ASSERT_TRUE(this->world.restorer().MarkRestored(*epoch));
    EXPECT_TRUE(this->world.restorer().AdoptEpoch()->restored);
  }
  template <typename T>
  static void ExpectUnavailable(const Result<T>& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kRedisUnavailable);
    EXPECT_NE(result.error().message.find("being restored"), std::string::npos);
    EXPECT_EQ(result.error().retry_after, std::chrono::milliseconds(1000));
  }
};

TYPED_TEST_SUITE_P(RestoredAdmissionsContract);

TYPED_TEST_P(RestoredAdmissionsContract, AdmitsNothingAfterTheStoreLostItsData) {
  this->Admit(this->ARequest());
  this->world.LoseData();
  const auto admission = this->RequestAdmission(this->ARequest());
  ASSERT_FALSE(admission);
  EXPECT_EQ(admission.error().code, ErrorCode::kRedisUnavailable);
}

TYPED_TEST_P(RestoredAdmissionsContract, RefusesKeysUntilAcceptancesAreRestored) {  // A3
  this->Admit(this->ARequest());
  this->world.StartRestoring();
  this->ExpectUnavailable(this->RequestAdmission(this->ARequest()));
  this->MarkRestored();
  EXPECT_EQ(this->Admit(this->ARequest()).state, Admission::State::kNew);
}

TYPED_TEST_P(RestoredAdmissionsContract,
             ReportsNoAlertAsUnknownUntilAcceptancesAreRestored) {  // A2
  const AdmitRequest before = this->ARequest();
  this->Admit(before);
  this->world.StartRestoring();
  const AdmitRequest lost = this->ARequest();
  this->ExpectUnavailable(this->Mark(this->ACancel(lost)));
  this->MarkRestored();
  const auto marked = this->Mark(this->ACancel(lost));
  ASSERT_FALSE(marked);
  EXPECT_EQ(marked.error().code, ErrorCode::kNotFound);
}

TYPED_TEST_P(RestoredAdmissionsContract, MarksARestoredAlertOfItsClientOnly) {  // A2
  this->Admit(this->ARequest());
  this->world.StartRestoring();
  const AdmitRequest lost = this->ARequest();
  this->Restore({this->Accepted(lost)});
  MarkRequest acknowledgement = this->ACancel(lost);
  acknowledgement.mark = MarkRequest::Mark::kAcknowledged;
  MarkRequest foreign = acknowledgement;
  foreign.client_id = "another";
  EXPECT_EQ(this->Mark(foreign).error().code, ErrorCode::kNotFound);
  const auto marked = this->Mark(acknowledgement);
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_TRUE(marked->newly_marked);
}

TYPED_TEST_P(RestoredAdmissionsContract, RemembersTheKeysOfRestoredAlerts) {  // A3
  this->Admit(this->ARequest());
  this->world.StartRestoring();
  const AdmitRequest lost = this->ARequest();
  this->Restore({this->Accepted(lost)});
  this->Restore({this->Accepted(lost)});  // by another process
  this->MarkRestored();
  const Admission replay = this->Admit(this->Repeated(lost));
  EXPECT_EQ(replay.state, Admission::State::kReplay);
  EXPECT_EQ(replay.alert_id, lost.alert_id);
  EXPECT_EQ(replay.create_time, lost.create_time);
  EXPECT_EQ(replay.position.SerializeAsString(), this->APosition().SerializeAsString());
  AdmitRequest other = this->Repeated(lost);
  other.request_digest = std::string(32, 'o');
  const Admission conflict = this->Admit(other);
  EXPECT_EQ(conflict.state, Admission::State::kConflict);
  EXPECT_EQ(conflict.alert_id, lost.alert_id);
}

TYPED_TEST_P(RestoredAdmissionsContract, RestoresAKeyToItsFirstAlertInAnyOrder) {  // A3
  this->Admit(this->ARequest());
  for (const bool reverse : {false, true}) {
    this->world.StartRestoring();
    const AdmitRequest first = this->ARequest();
    AdmitRequest second = this->Repeated(first);
    second.create_time = first.create_time + std::chrono::seconds(1);
    std::vector<AcceptedAlert> alerts{this->Accepted(first), this->Accepted(second)};
    if (reverse) std::swap(alerts[0], alerts[1]);
    this->Restore(alerts);
    this->MarkRestored();
    EXPECT_EQ(this->Admit(this->Repeated(first)).alert_id, first.alert_id);
  }
}

TYPED_TEST_P(RestoredAdmissionsContract, ARestoreKeepsTheKeyOfAnAlertAdmittedSince) {  // A3, R6
  const AdmitRequest admitted = this->ARequest();
  this->Admit(admitted);
  AdmitRequest earlier = this->Repeated(admitted);
  earlier.create_time = admitted.create_time - std::chrono::seconds(1);
  this->Restore({this->Accepted(earlier)});
  EXPECT_EQ(this->Admit(this->Repeated(admitted)).alert_id, admitted.alert_id);
}

REGISTER_TYPED_TEST_SUITE_P(RestoredAdmissionsContract, AdmitsNothingAfterTheStoreLostItsData,
                            RefusesKeysUntilAcceptancesAreRestored,
                            ReportsNoAlertAsUnknownUntilAcceptancesAreRestored,
                            MarksARestoredAlertOfItsClientOnly, RemembersTheKeysOfRestoredAlerts,
                            RestoresAKeyToItsFirstAlertInAnyOrder,
                            ARestoreKeepsTheKeyOfAnAlertAdmittedSince);

}  // namespace tocsin
