// What every Admissions must do. A world makes one:
//   Admissions& admissions();
//   void Taken(const std::string& alert_id);  // a worker has claimed a try of it
//   void LoseMemory();
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
  static AdmitRequest ARequest(const std::string& key = {}) {
    return {.alert_id = MakeUuidV5(RandomBytes(16)),
            .client_id = "client",
            .idempotency_digest = key,
            .request_digest = std::string(32, 'r'),
            .nonce = RandomBytes(16),
            .accepted = SystemClock().Now(),
            .not_after = SystemClock().Now() + std::chrono::hours(1)};
  }
  static std::string AKey() { return RandomBytes(32); }
  static v1::Position APosition() {
    v1::Position position;
    position.set_topic("tocsin.sms.normal");
    position.set_partition(7);
    position.set_offset(123'456'789'012);
    return position;
  }

  Result<Admission> Ask(AdmitRequest request) {
    std::promise<Result<Admission>> promise;
    world.admissions().Admit(std::move(request), [&promise](Result<Admission> admission) {
      promise.set_value(std::move(admission));
    });
    return promise.get_future().get();
  }
  Admission Admit(const AdmitRequest& request) {
    auto admission = Ask(request);
    EXPECT_TRUE(admission) << admission.error().message;
    return admission ? *admission : Admission();
  }
  static MarkRequest ACancel(const AdmitRequest& request) {
    return {.alert_id = request.alert_id,
            .client_id = request.client_id,
            .mark = MarkRequest::Mark::kCancelled,
            .time = request.accepted,
            .by = {}};
  }
  Result<Marked> Mark(MarkRequest request) {
    std::promise<Result<Marked>> promise;
    world.admissions().Mark(std::move(request), [&promise](Result<Marked> marked) {
      promise.set_value(std::move(marked));
    });
    return promise.get_future().get();
  }
  // The same request again, by another call: with an id, a nonce and a time of its own.
  AdmitRequest Repeated(const AdmitRequest& request) {
    AdmitRequest repeated = ARequest(request.idempotency_digest);
    repeated.request_digest = request.request_digest;
    return repeated;
  }

  World world;
};

TYPED_TEST_SUITE_P(AdmissionsContract);

TYPED_TEST_P(AdmissionsContract, AdmitsAnAlertWithoutAKeyAsNew) {
  const AdmitRequest request = this->ARequest();
  const Admission admission = this->Admit(request);
  EXPECT_EQ(admission.state, Admission::State::kNew);
  EXPECT_EQ(admission.alert_id, request.alert_id);
  EXPECT_EQ(admission.accepted, request.accepted);
}

// A3
TYPED_TEST_P(AdmissionsContract, RepeatsTheFirstAnswerForTheSameRequestUnderTheSameKey) {
  const AdmitRequest first = this->ARequest(this->AKey());
  EXPECT_EQ(this->Admit(first).state, Admission::State::kNew);
  this->world.admissions().Confirm(first.alert_id, this->APosition(), [] {});
  Admission replay = this->Admit(this->Repeated(first));
  EXPECT_EQ(replay.state, Admission::State::kReplay);
  EXPECT_EQ(replay.alert_id, first.alert_id);
  EXPECT_EQ(replay.accepted, first.accepted);
  EXPECT_EQ(replay.position.SerializeAsString(), this->APosition().SerializeAsString());
}

// A3
TYPED_TEST_P(AdmissionsContract, FindsAnotherRequestUnderTheSameKeyInConflict) {
  for (const bool confirmed : {false, true}) {
    const AdmitRequest first = this->ARequest(this->AKey());
    this->Admit(first);
    if (confirmed) this->world.admissions().Confirm(first.alert_id, this->APosition(), [] {});
    AdmitRequest other = this->Repeated(first);
    other.request_digest = std::string(32, 'o');
    EXPECT_EQ(this->Admit(other).state, Admission::State::kConflict);
  }
}

TYPED_TEST_P(AdmissionsContract, PublishesAgainUnderTheFirstIdWhatNeverSaidHowItEnded) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  const Admission again = this->Admit(this->Repeated(first));
  EXPECT_EQ(again.state, Admission::State::kAgain);
  EXPECT_EQ(again.alert_id, first.alert_id);
  EXPECT_EQ(again.accepted, first.accepted);
}

TYPED_TEST_P(AdmissionsContract, ForgetsAWithdrawnAlertAndItsKey) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, first.nonce);
  const AdmitRequest later = this->Repeated(first);
  const Admission admission = this->Admit(later);
  EXPECT_EQ(admission.state, Admission::State::kNew);
  EXPECT_EQ(admission.alert_id, later.alert_id);
}

TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalByAnotherNonce) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, "other");
  EXPECT_EQ(this->Admit(this->Repeated(first)).state, Admission::State::kAgain);
}

// The first call's record may be in the log although the second call's is not.
TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalByACallThatFoundTheAlertBegun) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  const AdmitRequest second = this->Repeated(first);
  this->Admit(second);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, second.nonce);
  const Admission third = this->Admit(this->Repeated(first));
  EXPECT_EQ(third.state, Admission::State::kAgain);
  EXPECT_EQ(third.alert_id, first.alert_id);
}

TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalOfAnAlertThatAWorkerHasSeen) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  this->world.Taken(first.alert_id);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, first.nonce);
  EXPECT_EQ(this->Admit(this->Repeated(first)).state, Admission::State::kAgain);
}

TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalAfterTheConfirmation) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  this->world.admissions().Confirm(first.alert_id, this->APosition(), [] {});
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, first.nonce);
  EXPECT_EQ(this->Admit(this->Repeated(first)).state, Admission::State::kReplay);
}

// A2: the first mark stands, and says who set it.
TYPED_TEST_P(AdmissionsContract, TellsWhatIsKnownOfAKeyAndAdmitsNothing) {
  AdmitRequest asked = this->ARequest(this->AKey());
  asked.only_if_known = true;
  EXPECT_EQ(this->Admit(asked).state, Admission::State::kUnknown);
  EXPECT_EQ(this->Admit(asked).state, Admission::State::kUnknown);
  AdmitRequest first = asked;
  first.only_if_known = false;
  EXPECT_EQ(this->Admit(first).state, Admission::State::kNew);
  EXPECT_EQ(this->Admit(asked).state, Admission::State::kAgain);
  this->world.admissions().Confirm(first.alert_id, this->APosition(), [] {});
  Admission known = this->Admit(asked);
  for (int i = 0; i < 100 && known.state == Admission::State::kAgain; ++i)
    known = this->Admit(asked);  // a confirmation may be overtaken
  EXPECT_EQ(known.state, Admission::State::kReplay);
  EXPECT_EQ(known.alert_id, first.alert_id);
}

TYPED_TEST_P(AdmissionsContract, MarksAnAlertOnceAndRepeatsTheFirstMark) {
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  const auto by = [&](const char* who) {
    return this->Mark({.alert_id = request.alert_id,
                       .client_id = request.client_id,
                       .mark = MarkRequest::Mark::kAcknowledged,
                       .time = request.accepted + std::chrono::seconds(*who),
                       .by = who});
  };
  for (const auto& [who, first] : {std::pair("Ann of the night shift", true), {"Bob", false}}) {
    const auto marked = by(who);
    ASSERT_TRUE(marked) << marked.error().message;
    EXPECT_EQ(marked->first, first);
    EXPECT_EQ(marked->by, "Ann of the night shift");
    EXPECT_EQ(marked->time, request.accepted + std::chrono::seconds('A'));
    EXPECT_FALSE(marked->posting);
    EXPECT_TRUE(marked->receipts.empty());
  }
}

TYPED_TEST_P(AdmissionsContract, TellsACancelOfATryWhosePostMayBeUnderWay) {
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  this->world.Taken(request.alert_id);
  const auto marked = this->Mark(this->ACancel(request));
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_TRUE(marked->posting);
}

TYPED_TEST_P(AdmissionsContract, MarksNoAlertOfAnotherClientAndNoneThatIsUnknown) {
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  MarkRequest foreign = this->ACancel(request);
  foreign.client_id = "another";
  for (const MarkRequest& mark : {foreign, this->ACancel(this->ARequest())}) {
    const auto marked = this->Mark(mark);
    ASSERT_FALSE(marked);
    EXPECT_EQ(marked.error().code, ErrorCode::kNotFound);
  }
}

TYPED_TEST_P(AdmissionsContract, AdmitsNothingOnceItsMemoryIsLost) {
  this->Admit(this->ARequest());
  this->world.LoseMemory();
  for (const std::string& key : {std::string(), this->AKey()}) {
    const auto admission = this->Ask(this->ARequest(key));
    ASSERT_FALSE(admission);
    EXPECT_EQ(admission.error().code, ErrorCode::kRedisUnavailable);
  }
}

REGISTER_TYPED_TEST_SUITE_P(
    AdmissionsContract, AdmitsAnAlertWithoutAKeyAsNew,
    RepeatsTheFirstAnswerForTheSameRequestUnderTheSameKey, TellsWhatIsKnownOfAKeyAndAdmitsNothing,
    FindsAnotherRequestUnderTheSameKeyInConflict,
    PublishesAgainUnderTheFirstIdWhatNeverSaidHowItEnded, ForgetsAWithdrawnAlertAndItsKey,
    IgnoresAWithdrawalByAnotherNonce, IgnoresAWithdrawalByACallThatFoundTheAlertBegun,
    IgnoresAWithdrawalOfAnAlertThatAWorkerHasSeen, IgnoresAWithdrawalAfterTheConfirmation,
    MarksAnAlertOnceAndRepeatsTheFirstMark, TellsACancelOfATryWhosePostMayBeUnderWay,
    MarksNoAlertOfAnotherClientAndNoneThatIsUnknown, AdmitsNothingOnceItsMemoryIsLost);

}  // namespace tocsin
