// The contract of Admissions for replies: Admissions::FindAckCode(), and marks of persons who
// decline. A world provides that of admissions_contract.h, and:
//   // A worker has claimed an attempt of the alert. A reply of this person with this code
//   // acknowledges it.
//   void SetAckCode(const std::string& recipient_token, const std::string& alert_id,
//                   const std::string& code);
//   void SetTarget(const ClaimedTarget& target);
#pragma once

#include <cstdint>
#include <future>
#include <string>
#include <utility>

#include "tests/common/ports/admissions_contract.h"

namespace tocsin {

// A target of the alert's plan that a worker has claimed. Its recipient has this token, its text
// this code.
struct ClaimedTarget {
  std::string alert_id;
  std::int32_t step = 1;
  std::string person;
  std::string work;
  std::string recipient_token;
  std::string code;
  int person_count = 1;  // persons who must acknowledge
};

template <typename World>
class RepliesContract : public AdmissionsContract<World> {
 protected:
  static MarkRequest ADecline(const AdmitRequest& request, std::int32_t step,
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
  AckCodeMatches FindAckCode(const std::string& recipient_token, const std::string& code,
                             const std::string& evidence = "a reply") {
    std::promise<Result<AckCodeMatches>> promise;
    this->world.admissions().FindAckCode(
        {.recipient_token = recipient_token,
         .code = code,
         .evidence = evidence,
         .time = SystemClock().Now()},
        [&promise](Result<AckCodeMatches> matches) { promise.set_value(std::move(matches)); });
    auto matches = promise.get_future().get();
    EXPECT_TRUE(matches) << matches.error().message;
    return matches ? *matches : AckCodeMatches();
  }
};

TYPED_TEST_SUITE_P(RepliesContract);

TYPED_TEST_P(RepliesContract, FindsTheAlertsThatAReplyMayAcknowledge) {  // S7
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

TYPED_TEST_P(RepliesContract, MarksAPersonWhoDeclinesByAReply) {  // S7, V6
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
  const auto first = this->Mark(this->ADecline(request, 1, "no of ann"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->newly_marked);
  EXPECT_TRUE(first->has_plan);
  EXPECT_EQ(first->person, "ann");
  EXPECT_EQ(first->work, "work 2") << "the last target of ann";
  EXPECT_EQ(first->client_id, request.client_id);
  EXPECT_FALSE(first->cancelled || first->acknowledged);
  const auto again = this->Mark(this->ADecline(request, 2, "another no"));
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

TYPED_TEST_P(RepliesContract, APersonWhoHasAcknowledgedDoesNotDecline) {  // S7, V6
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
    MarkRequest mark = this->ADecline(request, of, "yes");
    mark.mark = MarkRequest::Mark::kAcknowledged;
    mark.unless_acknowledged = false;
    return this->Mark(mark)->newly_marked;
  };
  ASSERT_TRUE(yes(1));
  const auto refused = this->Mark(this->ADecline(request, 1, "no"));
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_TRUE(refused->acknowledged);
  EXPECT_FALSE(refused->newly_marked || refused->cancelled);
  EXPECT_FALSE(this->FindAckCode(ann, "").alerts.at(0).declined);

  EXPECT_TRUE(this->Mark(this->ADecline(request, 2, "no"))->newly_marked);
  EXPECT_TRUE(yes(2)) << "one who declined may acknowledge";
  EXPECT_TRUE(this->FindAckCode(ben, "").alerts.at(0).acknowledged);
  EXPECT_FALSE(this->Mark(this->ADecline(request, 2, "no"))->acknowledged) << "a repetition";
  EXPECT_TRUE(this->Mark(this->ADecline(request, 3, "no"))->acknowledged)
      << "two persons have acknowledged";
}

TYPED_TEST_P(RepliesContract, ADeclineOfAnAlertWithoutAPlanHasNoEffect) {  // S7
  const AdmitRequest request = this->ARequest();
  this->Admit(request);
  const std::string ann = RandomBytes(32);
  this->world.SetAckCode(ann, request.alert_id, "1234");
  for (const bool first : {true, false}) {
    const auto marked = this->Mark(this->ADecline(request, 1, first ? "no" : "again no"));
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
  EXPECT_TRUE(this->Mark(this->ADecline(cancelled, 1, "no"))->cancelled);
}

REGISTER_TYPED_TEST_SUITE_P(RepliesContract, FindsTheAlertsThatAReplyMayAcknowledge,
                            MarksAPersonWhoDeclinesByAReply,
                            APersonWhoHasAcknowledgedDoesNotDecline,
                            ADeclineOfAnAlertWithoutAPlanHasNoEffect);

}  // namespace tocsin
