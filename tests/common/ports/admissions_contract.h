// The contract of Admissions, but for marks, replies and restoration, which have suites of their
// own. A world provides the port and what the port cannot do:
//   Admissions& admissions();
//   void SetClaimed(const std::string& alert_id);  // a worker has claimed an attempt of it
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <utility>

#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "common/ports/admissions.h"
#include "common/ports/clock.h"

namespace tocsin {

template <typename World>
class AdmissionsContract : public ::testing::Test {
 protected:
  static AdmitRequest ARequest(const std::string& key = RandomBytes(32)) {
    return {.alert_id = MakeUuidV5(RandomBytes(16)),
            .client_id = "client",
            .idempotency_digest = key,
            .request_digest = std::string(32, 'r'),
            .nonce = RandomBytes(16),
            .create_time = SystemClock().Now(),
            .expire_time = SystemClock().Now() + std::chrono::hours(1)};
  }
  static records::v1::Position APosition() {
    records::v1::Position position;
    position.set_topic("tocsin.sms.normal");
    position.set_partition(7);
    position.set_offset(123'456'789'012);
    return position;
  }

  Result<Admission> RequestAdmission(AdmitRequest request) {
    std::promise<Result<Admission>> promise;
    world.admissions().Admit(std::move(request), [&promise](Result<Admission> admission) {
      promise.set_value(std::move(admission));
    });
    return promise.get_future().get();
  }
  Admission Admit(const AdmitRequest& request) {
    auto admission = RequestAdmission(request);
    EXPECT_TRUE(admission) << admission.error().message;
    return admission ? *admission : Admission();
  }
  static MarkRequest ACancel(const AdmitRequest& request) {
    return {.alert_id = request.alert_id,
            .client_id = request.client_id,
            .mark = MarkRequest::Mark::kCancelled,
            .time = request.create_time};
  }
  static MarkRequest ALink(const AdmitRequest& request) {
    return {.alert_id = request.alert_id,
            .client_id = {},
            .mark = MarkRequest::Mark::kAcknowledged,
            .time = request.create_time,
            .method = v1::ACKNOWLEDGEMENT_METHOD_LINK,
            .step = 2,
            .evidence = "a digest",
            .unless_cancelled = true};
  }
  Result<MarkResult> Mark(MarkRequest request) {
    std::promise<Result<MarkResult>> promise;
    world.admissions().Mark(std::move(request), [&promise](Result<MarkResult> marked) {
      promise.set_value(std::move(marked));
    });
    return promise.get_future().get();
  }
  // The same request again: with another id, nonce and time.
  AdmitRequest Repeated(const AdmitRequest& request) {
    AdmitRequest repeated = ARequest(request.idempotency_digest);
    repeated.request_digest = request.request_digest;
    return repeated;
  }

  World world;
};

TYPED_TEST_SUITE_P(AdmissionsContract);

TYPED_TEST_P(AdmissionsContract, AdmitsAnAlertWithAnUnknownKeyAsNew) {
  const AdmitRequest request = this->ARequest();
  const Admission admission = this->Admit(request);
  EXPECT_EQ(admission.state, Admission::State::kNew);
  EXPECT_EQ(admission.alert_id, request.alert_id);
  EXPECT_EQ(admission.create_time, request.create_time);
}

// A3
TYPED_TEST_P(AdmissionsContract, ReplaysTheSameRequestWithTheSameKey) {
  const AdmitRequest first = this->ARequest();
  EXPECT_EQ(this->Admit(first).state, Admission::State::kNew);
  this->world.admissions().Confirm(first.alert_id, this->APosition(), [] {});
  Admission replay = this->Admit(this->Repeated(first));
  EXPECT_EQ(replay.state, Admission::State::kReplay);
  EXPECT_EQ(replay.alert_id, first.alert_id);
  EXPECT_EQ(replay.create_time, first.create_time);
  EXPECT_EQ(replay.position.SerializeAsString(), this->APosition().SerializeAsString());
}

// A3
TYPED_TEST_P(AdmissionsContract, ReportsAConflictForAnotherRequestWithTheSameKey) {
  for (const bool confirmed : {false, true}) {
    const AdmitRequest first = this->ARequest();
    this->Admit(first);
    if (confirmed) this->world.admissions().Confirm(first.alert_id, this->APosition(), [] {});
    AdmitRequest other = this->Repeated(first);
    other.request_digest = std::string(32, 'o');
    EXPECT_EQ(this->Admit(other).state, Admission::State::kConflict);
  }
}

TYPED_TEST_P(AdmissionsContract, RepublishesUnderTheFirstIdAnUnconfirmedRequest) {
  const AdmitRequest first = this->ARequest();
  this->Admit(first);
  const Admission again = this->Admit(this->Repeated(first));
  EXPECT_EQ(again.state, Admission::State::kRepublish);
  EXPECT_EQ(again.alert_id, first.alert_id);
  EXPECT_EQ(again.create_time, first.create_time);
}

TYPED_TEST_P(AdmissionsContract, DeletesAWithdrawnAlertAndItsKey) {
  const AdmitRequest first = this->ARequest();
  this->Admit(first);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, first.nonce);
  const AdmitRequest later = this->Repeated(first);
  const Admission admission = this->Admit(later);
  EXPECT_EQ(admission.state, Admission::State::kNew);
  EXPECT_EQ(admission.alert_id, later.alert_id);
}

TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalWithAnotherNonce) {
  const AdmitRequest first = this->ARequest();
  this->Admit(first);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, "other");
  EXPECT_EQ(this->Admit(this->Repeated(first)).state, Admission::State::kRepublish);
}

// The first request's record may be in the log although the second request's is not.
TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalByARepeatedRequest) {
  const AdmitRequest first = this->ARequest();
  this->Admit(first);
  const AdmitRequest second = this->Repeated(first);
  this->Admit(second);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, second.nonce);
  const Admission third = this->Admit(this->Repeated(first));
  EXPECT_EQ(third.state, Admission::State::kRepublish);
  EXPECT_EQ(third.alert_id, first.alert_id);
}

TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalAfterAWorkerClaimedTheAlert) {
  const AdmitRequest first = this->ARequest();
  this->Admit(first);
  this->world.SetClaimed(first.alert_id);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, first.nonce);
  EXPECT_EQ(this->Admit(this->Repeated(first)).state, Admission::State::kRepublish);
}

TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalAfterTheConfirmation) {
  const AdmitRequest first = this->ARequest();
  this->Admit(first);
  this->world.admissions().Confirm(first.alert_id, this->APosition(), [] {});
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, first.nonce);
  EXPECT_EQ(this->Admit(this->Repeated(first)).state, Admission::State::kReplay);
}

TYPED_TEST_P(AdmissionsContract, ReportsAKnownKeyWithoutAdmitting) {
  AdmitRequest asked = this->ARequest();
  asked.only_if_known = true;
  EXPECT_EQ(this->Admit(asked).state, Admission::State::kUnknownKey);
  EXPECT_EQ(this->Admit(asked).state, Admission::State::kUnknownKey);
  AdmitRequest first = asked;
  first.only_if_known = false;
  EXPECT_EQ(this->Admit(first).state, Admission::State::kNew);
  EXPECT_EQ(this->Admit(asked).state, Admission::State::kRepublish);
  this->world.admissions().Confirm(first.alert_id, this->APosition(), [] {});
  Admission known = this->Admit(asked);
  for (int i = 0; i < 100 && known.state == Admission::State::kRepublish; ++i)
    known = this->Admit(asked);  // a confirmation may be overtaken by an admission
  EXPECT_EQ(known.state, Admission::State::kReplay);
  EXPECT_EQ(known.alert_id, first.alert_id);
}

REGISTER_TYPED_TEST_SUITE_P(
    AdmissionsContract, AdmitsAnAlertWithAnUnknownKeyAsNew, ReplaysTheSameRequestWithTheSameKey,
    ReportsAConflictForAnotherRequestWithTheSameKey, RepublishesUnderTheFirstIdAnUnconfirmedRequest,
    DeletesAWithdrawnAlertAndItsKey, IgnoresAWithdrawalWithAnotherNonce,
    IgnoresAWithdrawalByARepeatedRequest, IgnoresAWithdrawalAfterAWorkerClaimedTheAlert,
    IgnoresAWithdrawalAfterTheConfirmation, ReportsAKnownKeyWithoutAdmitting);

}  // namespace tocsin
