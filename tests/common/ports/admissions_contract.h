// The contract of Admissions. A world provides the port and what the port cannot do:
//   Admissions& admissions();
//   void SetClaimed(const std::string& alert_id);  // a worker has claimed an attempt of it
//   void SetDelivered(const std::string& alert_id);  // a callback reported the delivery of one
//   // The same, and a reply of this person with this code acknowledges the alert.
//   void SetAckCode(const std::string& recipient_token, const std::string& alert_id,
//                   const std::string& code);
//   // A worker has claimed this target of the alert's plan, which needs acknowledgements by so
//   many
//   // persons. Its recipient has this token, its text this code.
//   void SetTarget(const ClaimedTarget& target);
//   void LoseData();
//   AcceptanceRestorer& restorer();
//   void StartRestoring();  // the data is lost, and a new epoch adopted
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "common/ports/acceptance_restorer.h"
#include "common/ports/admissions.h"
#include "common/ports/clock.h"

namespace tocsin {

struct ClaimedTarget {
  std::string alert_id;
  std::int32_t step = 1;
  std::string person;
  std::string work;
  std::string recipient_token;
  std::string code;
  int person_count = 1;
};

template <typename World>
class AdmissionsContract : public ::testing::Test {
 protected:
  static AdmitRequest ARequest(const std::string& key = {}) {
    return {.alert_id = MakeUuidV5(RandomBytes(16)),
            .client_id = "client",
            .idempotency_digest = key,
            .request_digest = std::string(32, 'r'),
            .nonce = RandomBytes(16),
            .create_time = SystemClock().Now(),
            .expire_time = SystemClock().Now() + std::chrono::hours(1)};
  }
  static std::string AKey() { return RandomBytes(32); }
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
  static MarkRequest AnAnswerNo(const AdmitRequest& request, std::int32_t step,
                                const std::string& evidence) {
    return {.alert_id = request.alert_id,
            .client_id = {},
            .mark = MarkRequest::Mark::kDeclined,
            .time = request.create_time,
            .method = v1::ACKNOWLEDGEMENT_METHOD_REPLY,
            .step = step,
            .evidence = evidence,
            .unless_cancelled = true,
            .unless_acknowledged = true};
  }
  Result<MarkResult> Mark(MarkRequest request) {
    std::promise<Result<MarkResult>> promise;
    world.admissions().Mark(std::move(request), [&promise](Result<MarkResult> marked) {
      promise.set_value(std::move(marked));
    });
    return promise.get_future().get();
  }
  AckCodeMatches FindAckCode(const std::string& recipient_token, const std::string& code,
                             const std::string& evidence = "a reply") {
    std::promise<Result<AckCodeMatches>> promise;
    world.admissions().FindAckCode(
        {.recipient_token = recipient_token,
         .code = code,
         .evidence = evidence,
         .time = SystemClock().Now()},
        [&promise](Result<AckCodeMatches> matches) { promise.set_value(std::move(matches)); });
    auto matches = promise.get_future().get();
    EXPECT_TRUE(matches) << matches.error().message;
    return matches ? *matches : AckCodeMatches();
  }
  // The same request again: with another id, nonce and time.
  AdmitRequest Repeated(const AdmitRequest& request) {
    AdmitRequest repeated = ARequest(request.idempotency_digest);
    repeated.request_digest = request.request_digest;
    return repeated;
  }

  // The record in the lane that accepted the request.
  static AcceptedAlert Accepted(const AdmitRequest& request) {
    return {.alert_id = request.alert_id,
            .client_id = request.client_id,
            .idempotency_digest = request.idempotency_digest,
            .request_digest = request.request_digest,
            .create_time = request.create_time,
            .expire_time = request.expire_time,
            .position = APosition()};
  }
  void Restore(const std::vector<AcceptedAlert>& alerts) {
    const auto epoch = world.restorer().AdoptEpoch();
    ASSERT_TRUE(epoch) << epoch.error().message;
    ASSERT_TRUE(world.restorer().Restore(*epoch, alerts));
  }
  void MarkRestored() {
    const auto epoch = world.restorer().AdoptEpoch();
    ASSERT_TRUE(epoch) << epoch.error().message;
    EXPECT_FALSE(epoch->restored);
    ASSERT_TRUE(world.restorer().MarkRestored(*epoch));
    EXPECT_TRUE(world.restorer().AdoptEpoch()->restored);
  }
  template <typename T>
  static void ExpectUnavailable(const Result<T>& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kRedisUnavailable);
    EXPECT_NE(result.error().message.find("being restored"), std::string::npos);
    EXPECT_EQ(result.error().retry_after, std::chrono::milliseconds(1000));
  }

  World world;
};

TYPED_TEST_SUITE_P(AdmissionsContract);

TYPED_TEST_P(AdmissionsContract, AdmitsAnAlertWithoutAKeyAsNew) {
  const AdmitRequest request = this->ARequest();
  const Admission admission = this->Admit(request);
  EXPECT_EQ(admission.state, Admission::State::kNew);
  EXPECT_EQ(admission.alert_id, request.alert_id);
  EXPECT_EQ(admission.create_time, request.create_time);
}

// A3
TYPED_TEST_P(AdmissionsContract, ReplaysTheSameRequestWithTheSameKey) {
  const AdmitRequest first = this->ARequest(this->AKey());
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
    const AdmitRequest first = this->ARequest(this->AKey());
    this->Admit(first);
    if (confirmed) this->world.admissions().Confirm(first.alert_id, this->APosition(), [] {});
    AdmitRequest other = this->Repeated(first);
    other.request_digest = std::string(32, 'o');
    EXPECT_EQ(this->Admit(other).state, Admission::State::kConflict);
  }
}

TYPED_TEST_P(AdmissionsContract, RepublishesUnderTheFirstIdAnUnconfirmedRequest) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  const Admission again = this->Admit(this->Repeated(first));
  EXPECT_EQ(again.state, Admission::State::kRepublish);
  EXPECT_EQ(again.alert_id, first.alert_id);
  EXPECT_EQ(again.create_time, first.create_time);
}

TYPED_TEST_P(AdmissionsContract, DeletesAWithdrawnAlertAndItsKey) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, first.nonce);
  const AdmitRequest later = this->Repeated(first);
  const Admission admission = this->Admit(later);
  EXPECT_EQ(admission.state, Admission::State::kNew);
  EXPECT_EQ(admission.alert_id, later.alert_id);
}

TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalWithAnotherNonce) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, "other");
  EXPECT_EQ(this->Admit(this->Repeated(first)).state, Admission::State::kRepublish);
}

// The first request's record may be in the log although the second request's is not.
TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalByARepeatedRequest) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  const AdmitRequest second = this->Repeated(first);
  this->Admit(second);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, second.nonce);
  const Admission third = this->Admit(this->Repeated(first));
  EXPECT_EQ(third.state, Admission::State::kRepublish);
  EXPECT_EQ(third.alert_id, first.alert_id);
}

TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalAfterAWorkerClaimedTheAlert) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  this->world.SetClaimed(first.alert_id);
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, first.nonce);
  EXPECT_EQ(this->Admit(this->Repeated(first)).state, Admission::State::kRepublish);
}

TYPED_TEST_P(AdmissionsContract, IgnoresAWithdrawalAfterTheConfirmation) {
  const AdmitRequest first = this->ARequest(this->AKey());
  this->Admit(first);
  this->world.admissions().Confirm(first.alert_id, this->APosition(), [] {});
  this->world.admissions().Withdraw(first.alert_id, first.idempotency_digest, first.nonce);
  EXPECT_EQ(this->Admit(this->Repeated(first)).state, Admission::State::kReplay);
}

TYPED_TEST_P(AdmissionsContract, ReportsAKnownKeyWithoutAdmitting) {
  AdmitRequest asked = this->ARequest(this->AKey());
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

TYPED_TEST_P(AdmissionsContract, MarksAnAlertOnceAndReturnsTheFirstMark) {  // A2
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  const auto acknowledge = [&](const std::string& actor_id, std::chrono::seconds after,
                               v1::AcknowledgementMethod method) {
    return this->Mark({.alert_id = request.alert_id,
                       .client_id = request.client_id,
                       .mark = MarkRequest::Mark::kAcknowledged,
                       .time = request.create_time + after,
                       .method = method,
                       .actor_id = actor_id});
  };
  const MarkResult first = *acknowledge("Ann of the night shift", std::chrono::seconds(1),
                                        v1::ACKNOWLEDGEMENT_METHOD_API);
  const MarkResult second =
      *acknowledge("", std::chrono::seconds(2), v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS);
  EXPECT_TRUE(first.newly_marked);
  EXPECT_FALSE(second.newly_marked);
  for (const MarkResult& result : {first, second}) {
    EXPECT_EQ(result.actor_id, "Ann of the night shift");
    EXPECT_EQ(result.method, v1::ACKNOWLEDGEMENT_METHOD_API);
    EXPECT_EQ(result.time, request.create_time + std::chrono::seconds(1));
    EXPECT_FALSE(result.post_in_progress);
    EXPECT_TRUE(result.results.empty());
  }
}

// It may have a plan, of which they are persons.
TYPED_TEST_P(AdmissionsContract, KeepsTheAcknowledgementOfEachActorBeforeTheFirstClaim) {  // V6
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  const auto acknowledge = [&](const std::string& actor_id, std::chrono::seconds after) {
    return *this->Mark({.alert_id = request.alert_id,
                        .client_id = request.client_id,
                        .mark = MarkRequest::Mark::kAcknowledged,
                        .time = request.create_time + after,
                        .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                        .actor_id = actor_id});
  };
  EXPECT_TRUE(acknowledge("ann", std::chrono::seconds(1)).newly_marked);
  for (const auto after : {std::chrono::seconds(2), std::chrono::seconds(3)}) {
    const MarkResult marked = acknowledge("ben", after);
    EXPECT_FALSE(marked.newly_marked);
    EXPECT_EQ(marked.actor_id, "ben");
    EXPECT_EQ(marked.time, request.create_time + std::chrono::seconds(2));
  }
  EXPECT_EQ(acknowledge("ann", std::chrono::seconds(4)).time,
            request.create_time + std::chrono::seconds(1));
}

// A client can name any number of actors and persons.
TYPED_TEST_P(AdmissionsContract, StoresABoundedNumberOfAcknowledgements) {  // V6
  for (const bool of_persons : {false, true}) {
    const AdmitRequest request = this->ARequest();
    this->Admit(request);
    const auto acknowledge = [&](int number) {
      const std::string name = "person-" + std::to_string(number);
      return *this->Mark({.alert_id = request.alert_id,
                          .client_id = request.client_id,
                          .mark = MarkRequest::Mark::kAcknowledged,
                          .time = request.create_time + std::chrono::seconds(number),
                          .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                          .actor_id = of_persons ? "the console" : name,
                          .person = of_persons ? name : std::string()});
    };
    for (int number = 1; number <= kMaxAcknowledgements; ++number) {
      EXPECT_EQ(acknowledge(number).time, request.create_time + std::chrono::seconds(number));
    }
    for (const int number : {kMaxAcknowledgements + 1, kMaxAcknowledgements + 2}) {
      const MarkResult marked = acknowledge(number);
      EXPECT_FALSE(marked.newly_marked);
      EXPECT_EQ(marked.time, request.create_time + std::chrono::seconds(1)) << "the first one";
    }
    EXPECT_EQ(acknowledge(kMaxAcknowledgements).time,
              request.create_time + std::chrono::seconds(kMaxAcknowledgements));
  }
}

TYPED_TEST_P(AdmissionsContract, ReturnsTheMethodOfAKeyPress) {  // A2
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  MarkRequest mark = this->ACancel(request);
  mark.mark = MarkRequest::Mark::kAcknowledged;
  mark.method = v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS;
  const auto marked = this->Mark(mark);
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_EQ(marked->method, v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS);
  EXPECT_EQ(marked->actor_id, "");
}

TYPED_TEST_P(AdmissionsContract, MarksAnAlertByItsLinkWithoutAClient) {
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  MarkRequest mark = this->ALink(request);
  for (const char* evidence : {"first", "second"}) {
    mark.evidence = evidence;
    const auto marked = this->Mark(mark);
    ASSERT_TRUE(marked) << marked.error().message;
    EXPECT_EQ(marked->newly_marked, marked->evidence == evidence);
    EXPECT_EQ(marked->method, v1::ACKNOWLEDGEMENT_METHOD_LINK);
    EXPECT_EQ(marked->step, 2);
    EXPECT_EQ(marked->evidence, "first");
    EXPECT_EQ(marked->actor_id, "");
    EXPECT_EQ(marked->client_id, request.client_id);
    EXPECT_FALSE(marked->cancelled);
  }
  EXPECT_EQ(this->Mark(this->ALink(this->ARequest())).error().code, ErrorCode::kNotFound);
}

TYPED_TEST_P(AdmissionsContract, DoesNotMarkACancelledAlertByItsLink) {
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  ASSERT_TRUE(this->Mark(this->ACancel(request)));
  MarkRequest mark = this->ALink(request);
  for (int i = 0; i < 2; ++i) {
    const auto marked = this->Mark(mark);
    ASSERT_TRUE(marked) << marked.error().message;
    EXPECT_TRUE(marked->cancelled);
    EXPECT_FALSE(marked->newly_marked);
    EXPECT_FALSE(marked->post_in_progress);
  }
  mark.unless_cancelled = false;
  EXPECT_TRUE(this->Mark(mark)->newly_marked);
  mark.unless_cancelled = true;
  const auto again = this->Mark(mark);
  EXPECT_FALSE(again->cancelled);
  EXPECT_EQ(again->evidence, mark.evidence);
  const AdmitRequest claimed = this->ARequest();  // before its cancellation
  this->Admit(claimed);
  this->world.SetClaimed(claimed.alert_id);
  ASSERT_TRUE(this->Mark(this->ACancel(claimed)));
  const auto too_late = this->Mark(this->ALink(claimed));
  EXPECT_TRUE(too_late->cancelled);
  EXPECT_TRUE(too_late->post_in_progress);
}

TYPED_TEST_P(AdmissionsContract, ReportsToACancelThatAPostMayBeInProgress) {
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  this->world.SetClaimed(request.alert_id);
  const auto marked = this->Mark(this->ACancel(request));
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_TRUE(marked->post_in_progress);
}

TYPED_TEST_P(AdmissionsContract, ReportsToACancelThatTheAlertWasDelivered) {  // A2
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  EXPECT_FALSE(this->Mark(this->ACancel(request))->delivered);
  this->world.SetDelivered(request.alert_id);
  const auto marked = this->Mark(this->ACancel(request));
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_TRUE(marked->delivered);
}

TYPED_TEST_P(AdmissionsContract, ReportsToACancelThatTheAlertWasAcknowledgedBefore) {  // A2
  const auto set = [this](const AdmitRequest& request, MarkRequest::Mark kind, int seconds) {
    MarkRequest mark = this->ACancel(request);
    mark.mark = kind;
    mark.time = request.create_time + std::chrono::seconds(seconds);
    mark.method = v1::ACKNOWLEDGEMENT_METHOD_API;
    mark.actor_id = "ann";
    return *this->Mark(mark);
  };
  using enum MarkRequest::Mark;
  const AdmitRequest acknowledged = this->ARequest(), cancelled = this->ARequest();
  this->Admit(acknowledged);
  EXPECT_FALSE(set(acknowledged, kAcknowledged, 1).acknowledged_before);
  EXPECT_TRUE(set(acknowledged, kCancelled, 2).acknowledged_before);
  EXPECT_TRUE(set(acknowledged, kCancelled, 3).acknowledged_before);
  this->Admit(cancelled);
  EXPECT_FALSE(set(cancelled, kCancelled, 1).acknowledged_before);
  EXPECT_FALSE(set(cancelled, kAcknowledged, 2).acknowledged_before);
  EXPECT_FALSE(set(cancelled, kCancelled, 3).acknowledged_before);
}

TYPED_TEST_P(AdmissionsContract, MarksNoAlertOfAnotherClientAndNoUnknownAlert) {
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

TYPED_TEST_P(AdmissionsContract, MarksAnIssuedAlertThatItDoesNotKnow) {  // A2
  this->Admit(this->ARequest());
  this->world.StartRestoring();
  MarkRequest mark = this->ACancel(this->ARequest());
  mark.issued_until = mark.time + std::chrono::hours(48);
  const auto marked = this->Mark(mark);
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_TRUE(marked->newly_marked);
  mark.issued_until.reset();  // from now on the store knows it
  EXPECT_FALSE(this->Mark(mark)->newly_marked);
  mark.client_id = "another";
  EXPECT_EQ(this->Mark(mark).error().code, ErrorCode::kNotFound);
}

TYPED_TEST_P(AdmissionsContract, BelievesTheStoredClientMoreThanTheId) {  // A2
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  MarkRequest guessed = this->ACancel(request);
  guessed.client_id = "another";
  guessed.issued_until = guessed.time + std::chrono::hours(48);
  EXPECT_EQ(this->Mark(guessed).error().code, ErrorCode::kNotFound);
}

TYPED_TEST_P(AdmissionsContract, FindsTheAlertsThatAReplyMayAcknowledge) {  // S7
  const std::string ann = RandomBytes(32);
  const AdmitRequest first = this->ARequest(), second = this->ARequest();
  EXPECT_EQ(this->FindAckCode(ann, "").waiting, 0);
  for (const auto& [request, code] : {std::pair(first, "1234"), std::pair(second, "4321")}) {
    this->Admit(request);
    this->world.SetAckCode(ann, request.alert_id, code);
  }
  EXPECT_TRUE(this->FindAckCode(RandomBytes(32), "1234").alerts.empty()) << "another person";
  EXPECT_EQ(this->FindAckCode(ann, "").alerts.size(), 2u);
  const AckCodeMatches by_code = this->FindAckCode(ann, "4321");
  EXPECT_EQ(by_code.waiting, 2);
  ASSERT_EQ(by_code.alerts.size(), 1u);
  EXPECT_EQ(by_code.alerts[0].alert_id, second.alert_id);
  EXPECT_EQ(by_code.alerts[0].step, 1);
  EXPECT_FALSE(by_code.alerts[0].acknowledged);

  MarkRequest mark = this->ALink(second);
  mark.method = v1::ACKNOWLEDGEMENT_METHOD_REPLY;
  mark.evidence = "a reply";
  ASSERT_TRUE(this->Mark(mark));
  EXPECT_EQ(this->FindAckCode(ann, "").waiting, 1);
  for (const auto& alert : this->FindAckCode(ann, "", "another reply").alerts) {
    EXPECT_EQ(alert.acknowledged, alert.alert_id == second.alert_id);
    EXPECT_FALSE(alert.repeated);
  }
  const AckCodeMatches repeated = this->FindAckCode(ann, "");
  EXPECT_EQ(repeated.alerts.size(), 2u) << "the same reply again finds its alert";
  for (const auto& alert : repeated.alerts)
    EXPECT_EQ(alert.repeated, alert.alert_id == second.alert_id);
  ASSERT_EQ(this->FindAckCode(ann, "4321", "another reply").alerts.size(), 1u);
  EXPECT_TRUE(this->FindAckCode(ann, "4321", "another reply").alerts[0].acknowledged);
  ASSERT_TRUE(this->Mark(this->ACancel(first)));
  EXPECT_EQ(this->FindAckCode(ann, "").waiting, 0) << "a cancelled alert does not wait";
  ASSERT_EQ(this->FindAckCode(ann, "").alerts.size(), 1u);
}

TYPED_TEST_P(AdmissionsContract, MarksAPersonWhoDeclinesByAReply) {  // S7, V6
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  const std::string ann = RandomBytes(32), ben = RandomBytes(32);
  const auto claim = [&](std::int32_t step, const std::string& person, const std::string& token) {
    this->world.SetTarget({.alert_id = request.alert_id,
                           .step = step,
                           .person = person,
                           .work = "work " + std::to_string(step),
                           .recipient_token = token,
                           .code = "1234",
                           .person_count = 2});
  };
  claim(1, "ann", ann);
  claim(2, "ann", ann);
  claim(3, "ben", ben);
  const auto first = this->Mark(this->AnAnswerNo(request, 1, "no of ann"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->newly_marked);
  EXPECT_TRUE(first->has_plan);
  EXPECT_EQ(first->person, "ann");
  EXPECT_EQ(first->work, "work 2") << "the last target of ann";
  EXPECT_EQ(first->client_id, request.client_id);
  EXPECT_FALSE(first->cancelled || first->acknowledged);
  const auto again = this->Mark(this->AnAnswerNo(request, 2, "another no"));
  EXPECT_FALSE(again->newly_marked);
  EXPECT_EQ(again->evidence, "no of ann");
  EXPECT_EQ(again->step, 1);
  EXPECT_EQ(again->method, v1::ACKNOWLEDGEMENT_METHOD_REPLY);
  EXPECT_EQ(again->work, "work 2");

  EXPECT_EQ(this->FindAckCode(ann, "").waiting, 0);
  EXPECT_EQ(this->FindAckCode(ben, "").waiting, 1);
  for (const char* evidence : {"no of ann", "a later reply"}) {
    const AckCodeMatches found = this->FindAckCode(ann, "", evidence);
    ASSERT_EQ(found.alerts.size(), 1u);
    EXPECT_TRUE(found.alerts[0].declined);
    EXPECT_FALSE(found.alerts[0].acknowledged);
    EXPECT_EQ(found.alerts[0].repeated, std::string(evidence) == "no of ann");
  }
}

TYPED_TEST_P(AdmissionsContract, APersonWhoHasAcknowledgedDoesNotDecline) {  // S7, V6
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  const std::string ann = RandomBytes(32), ben = RandomBytes(32), cleo = RandomBytes(32);
  std::int32_t step = 0;
  for (const auto& [person, token] : {std::pair("ann", ann), {"ben", ben}, {"cleo", cleo}})
    this->world.SetTarget({.alert_id = request.alert_id,
                           .step = ++step,
                           .person = person,
                           .work = "work",
                           .recipient_token = token,
                           .code = "1234",
                           .person_count = 2});
  const auto yes = [&](std::int32_t of) {
    MarkRequest mark = this->AnAnswerNo(request, of, "yes");
    mark.mark = MarkRequest::Mark::kAcknowledged;
    mark.unless_acknowledged = false;
    return this->Mark(mark)->newly_marked;
  };
  ASSERT_TRUE(yes(1));
  const auto refused = this->Mark(this->AnAnswerNo(request, 1, "no"));
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_TRUE(refused->acknowledged);
  EXPECT_FALSE(refused->newly_marked || refused->cancelled);
  EXPECT_FALSE(this->FindAckCode(ann, "").alerts.at(0).declined);

  EXPECT_TRUE(this->Mark(this->AnAnswerNo(request, 2, "no"))->newly_marked);
  EXPECT_TRUE(yes(2)) << "one who declined may acknowledge";
  EXPECT_TRUE(this->FindAckCode(ben, "").alerts.at(0).acknowledged);
  EXPECT_FALSE(this->Mark(this->AnAnswerNo(request, 2, "no"))->acknowledged) << "a repetition";
  EXPECT_TRUE(this->Mark(this->AnAnswerNo(request, 3, "no"))->acknowledged)
      << "two persons have acknowledged";
}

TYPED_TEST_P(AdmissionsContract, ADeclineOfAnAlertWithoutAPlanHasNoEffect) {  // S7
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  const std::string ann = RandomBytes(32);
  this->world.SetAckCode(ann, request.alert_id, "1234");
  for (const bool first : {true, false}) {
    const auto marked = this->Mark(this->AnAnswerNo(request, 1, first ? "no" : "again no"));
    ASSERT_TRUE(marked) << marked.error().message;
    EXPECT_EQ(marked->newly_marked, first);
    EXPECT_EQ(marked->evidence, "no");
    EXPECT_EQ(marked->person, "");
    EXPECT_EQ(marked->work, "");
    EXPECT_FALSE(marked->has_plan);
  }
  const AckCodeMatches found = this->FindAckCode(ann, "", "no");
  EXPECT_EQ(found.waiting, 1);
  ASSERT_EQ(found.alerts.size(), 1u);
  EXPECT_TRUE(found.alerts[0].repeated);
  EXPECT_FALSE(found.alerts[0].declined);
  ASSERT_TRUE(this->Mark(this->ACancel(request)));
  const AdmitRequest cancelled = this->ARequest();
  this->Admit(cancelled);
  ASSERT_TRUE(this->Mark(this->ACancel(cancelled)));
  EXPECT_TRUE(this->Mark(this->AnAnswerNo(cancelled, 1, "no"))->cancelled);
}

TYPED_TEST_P(AdmissionsContract, AdmitsNothingAfterTheStoreLostItsData) {
  this->Admit(this->ARequest());
  this->world.LoseData();
  for (const std::string& key : {std::string(), this->AKey()}) {
    const auto admission = this->RequestAdmission(this->ARequest(key));
    ASSERT_FALSE(admission);
    EXPECT_EQ(admission.error().code, ErrorCode::kRedisUnavailable);
  }
}

TYPED_TEST_P(AdmissionsContract, RefusesKeysUntilAcceptancesAreRestored) {  // A3
  this->Admit(this->ARequest());
  this->world.StartRestoring();
  this->ExpectUnavailable(this->RequestAdmission(this->ARequest(this->AKey())));
  EXPECT_EQ(this->Admit(this->ARequest()).state, Admission::State::kNew);  // without a key
  this->MarkRestored();
  EXPECT_EQ(this->Admit(this->ARequest(this->AKey())).state, Admission::State::kNew);
}

TYPED_TEST_P(AdmissionsContract, ReportsNoAlertAsUnknownUntilAcceptancesAreRestored) {  // A2
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

TYPED_TEST_P(AdmissionsContract, MarksARestoredAlertOfItsClientOnly) {  // A2
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

TYPED_TEST_P(AdmissionsContract, RemembersTheKeysOfRestoredAlerts) {  // A3
  this->Admit(this->ARequest());
  this->world.StartRestoring();
  const AdmitRequest lost = this->ARequest(this->AKey());
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

TYPED_TEST_P(AdmissionsContract, RestoresAKeyToItsFirstAlertInAnyOrder) {  // A3
  this->Admit(this->ARequest());
  for (const bool reverse : {false, true}) {
    this->world.StartRestoring();
    const AdmitRequest first = this->ARequest(this->AKey());
    AdmitRequest second = this->Repeated(first);
    second.create_time = first.create_time + std::chrono::seconds(1);
    std::vector<AcceptedAlert> alerts{this->Accepted(first), this->Accepted(second)};
    if (reverse) std::swap(alerts[0], alerts[1]);
    this->Restore(alerts);
    this->MarkRestored();
    EXPECT_EQ(this->Admit(this->Repeated(first)).alert_id, first.alert_id);
  }
}

TYPED_TEST_P(AdmissionsContract, ARestoreKeepsTheKeyOfAnAlertAdmittedSince) {  // A3, R6
  const AdmitRequest admitted = this->ARequest(this->AKey());
  this->Admit(admitted);
  AdmitRequest earlier = this->Repeated(admitted);
  earlier.create_time = admitted.create_time - std::chrono::seconds(1);
  this->Restore({this->Accepted(earlier)});
  EXPECT_EQ(this->Admit(this->Repeated(admitted)).alert_id, admitted.alert_id);
}

REGISTER_TYPED_TEST_SUITE_P(
    AdmissionsContract, RefusesKeysUntilAcceptancesAreRestored,
    ReportsNoAlertAsUnknownUntilAcceptancesAreRestored, MarksARestoredAlertOfItsClientOnly,
    RemembersTheKeysOfRestoredAlerts, RestoresAKeyToItsFirstAlertInAnyOrder,
    ARestoreKeepsTheKeyOfAnAlertAdmittedSince, AdmitsAnAlertWithoutAKeyAsNew,
    ReplaysTheSameRequestWithTheSameKey, ReportsAKnownKeyWithoutAdmitting,
    ReportsAConflictForAnotherRequestWithTheSameKey, RepublishesUnderTheFirstIdAnUnconfirmedRequest,
    DeletesAWithdrawnAlertAndItsKey, IgnoresAWithdrawalWithAnotherNonce,
    IgnoresAWithdrawalByARepeatedRequest, IgnoresAWithdrawalAfterAWorkerClaimedTheAlert,
    IgnoresAWithdrawalAfterTheConfirmation, MarksAnAlertOnceAndReturnsTheFirstMark,
    KeepsTheAcknowledgementOfEachActorBeforeTheFirstClaim, StoresABoundedNumberOfAcknowledgements,
    ReturnsTheMethodOfAKeyPress, MarksAnAlertByItsLinkWithoutAClient,
    DoesNotMarkACancelledAlertByItsLink, ReportsToACancelThatAPostMayBeInProgress,
    ReportsToACancelThatTheAlertWasDelivered, ReportsToACancelThatTheAlertWasAcknowledgedBefore,
    MarksNoAlertOfAnotherClientAndNoUnknownAlert, MarksAnIssuedAlertThatItDoesNotKnow,
    BelievesTheStoredClientMoreThanTheId, FindsTheAlertsThatAReplyMayAcknowledge,
    MarksAPersonWhoDeclinesByAReply, APersonWhoHasAcknowledgedDoesNotDecline,
    ADeclineOfAnAlertWithoutAPlanHasNoEffect, AdmitsNothingAfterTheStoreLostItsData);

}  // namespace tocsin
