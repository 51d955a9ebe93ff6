// The contract of Admissions::Mark(): cancellations and acknowledgements. A world provides that of
// admissions_contract.h, and:
//   void SetDelivered(const std::string& alert_id);  // a callback reported the delivery of one
//   void StartRestoring();  // the data is lost, and a new epoch adopted
#pragma once

#include <string>

#include "tests/common/ports/admissions_contract.h"

namespace tocsin {

template <typename World>
class MarksContract : public AdmissionsContract<World> {};

TYPED_TEST_SUITE_P(MarksContract);

TYPED_TEST_P(MarksContract, MarksAnAlertOnceAndReturnsTheFirstMark) {  // A2
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
TYPED_TEST_P(MarksContract, KeepsTheAcknowledgementOfEachActorBeforeTheFirstClaim) {  // V6
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

TYPED_TEST_P(MarksContract, KeepsTheAcknowledgementOfEachActorDespiteALateCancellation) {  // V6
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  MarkRequest acknowledge{.alert_id = request.alert_id,
                          .client_id = request.client_id,
                          .mark = MarkRequest::Mark::kAcknowledged,
                          .time = request.create_time,
                          .method = v1::ACKNOWLEDGEMENT_METHOD_API,
                          .actor_id = "ann",
                          .unless_cancelled = true};
  ASSERT_TRUE(this->Mark(acknowledge));
  EXPECT_TRUE(this->Mark(this->ACancel(request))->acknowledged_before);
  acknowledge.actor_id = "ben";
  const auto refused = this->Mark(acknowledge);
  EXPECT_TRUE(refused->cancelled);
  EXPECT_TRUE(refused->acknowledged_before);
  acknowledge.unless_cancelled = false;
  EXPECT_EQ(this->Mark(acknowledge)->actor_id, "ben");
}

// A client can name any number of actors and persons.
TYPED_TEST_P(MarksContract, StoresABoundedNumberOfAcknowledgements) {  // V6
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

TYPED_TEST_P(MarksContract, ReturnsTheMethodOfAKeyPress) {  // A2
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

TYPED_TEST_P(MarksContract, MarksAnAlertByItsLinkWithoutAClient) {
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

TYPED_TEST_P(MarksContract, DoesNotMarkACancelledAlertByItsLink) {
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

TYPED_TEST_P(MarksContract, ReportsToACancelThatAPostMayBeInProgress) {
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  this->world.SetClaimed(request.alert_id);
  const auto marked = this->Mark(this->ACancel(request));
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_TRUE(marked->post_in_progress);
}

TYPED_TEST_P(MarksContract, ReportsToACancelThatTheAlertWasDelivered) {  // A2
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  EXPECT_FALSE(this->Mark(this->ACancel(request))->delivered);
  this->world.SetDelivered(request.alert_id);
  const auto marked = this->Mark(this->ACancel(request));
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_TRUE(marked->delivered);
}

TYPED_TEST_P(MarksContract, ReportsToACancelThatTheAlertWasAcknowledgedBefore) {  // A2
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
  for (const int seconds : {2, 3}) {
    const auto before = set(acknowledged, kCancelled, seconds).acknowledged_before;
    ASSERT_TRUE(before);
    EXPECT_EQ(before->time, acknowledged.create_time + std::chrono::seconds(1));
    EXPECT_EQ(before->mark.method, v1::ACKNOWLEDGEMENT_METHOD_API);
    EXPECT_EQ(before->mark.actor_id, "ann");
  }
  this->Admit(cancelled);
  EXPECT_FALSE(set(cancelled, kCancelled, 1).acknowledged_before);
  EXPECT_FALSE(set(cancelled, kAcknowledged, 2).acknowledged_before);
  EXPECT_FALSE(set(cancelled, kCancelled, 3).acknowledged_before);
}

TYPED_TEST_P(MarksContract, MarksNoAlertOfAnotherClientAndNoUnknownAlert) {
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

TYPED_TEST_P(MarksContract, MarksAnIssuedAlertThatItDoesNotKnow) {  // A2
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

TYPED_TEST_P(MarksContract, BelievesTheStoredClientMoreThanTheId) {  // A2
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  MarkRequest guessed = this->ACancel(request);
  guessed.client_id = "another";
  guessed.issued_until = guessed.time + std::chrono::hours(48);
  EXPECT_EQ(this->Mark(guessed).error().code, ErrorCode::kNotFound);
}

REGISTER_TYPED_TEST_SUITE_P(
    MarksContract, MarksAnAlertOnceAndReturnsTheFirstMark,
    KeepsTheAcknowledgementOfEachActorBeforeTheFirstClaim,
    KeepsTheAcknowledgementOfEachActorDespiteALateCancellation,
    StoresABoundedNumberOfAcknowledgements, ReturnsTheMethodOfAKeyPress,
    MarksAnAlertByItsLinkWithoutAClient, DoesNotMarkACancelledAlertByItsLink,
    ReportsToACancelThatAPostMayBeInProgress, ReportsToACancelThatTheAlertWasDelivered,
    ReportsToACancelThatTheAlertWasAcknowledgedBefore, MarksNoAlertOfAnotherClientAndNoUnknownAlert,
    MarksAnIssuedAlertThatItDoesNotKnow, BelievesTheStoredClientMoreThanTheId);

}  // namespace tocsin
