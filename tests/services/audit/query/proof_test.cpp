#include "services/audit/query/proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace tocsin::audit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

AlertEvent Reported(v1::AttemptStatus status, std::int64_t time_us, std::int32_t attempt = 1) {
  AlertEvent event;
  event.id = std::to_string(attempt) + '/' + std::to_string(status) + '/' + std::to_string(time_us);
  event.kind = AlertEventKind::kCallback;
  event.webhook_kind = records::v1::WEBHOOK_KIND_VOICE_STATUS;
  event.step = 1;
  event.attempt = attempt;
  event.time = FromUnixMicros(time_us);
  event.status = status;
  event.provider_sid = "CA1";
  return event;
}

AlertEvent Completed(v1::AnsweredBy answered_by, std::int32_t seconds) {
  AlertEvent event = Reported(v1::ATTEMPT_STATUS_DELIVERED, 40);
  event.answered_by = answered_by;
  event.duration_seconds = seconds;
  return event;
}

AlertEvent Pressed(const std::string& key, std::int64_t time_us) {
  AlertEvent event = Reported(v1::ATTEMPT_STATUS_ANSWERED_HUMAN, time_us);
  event.webhook_kind = records::v1::WEBHOOK_KIND_VOICE_GATHER;
  event.provider_status = key;
  return event;
}

AlertEvent Acknowledged(v1::AcknowledgementMethod method, const std::string& evidence,
                        std::int64_t time_us) {
  AlertEvent event;
  event.id = "acknowledged" + std::to_string(time_us);
  event.kind = AlertEventKind::kAcknowledged;
  event.time = FromUnixMicros(time_us);
  event.acknowledgement_method = method;
  event.evidence = evidence;
  return event;
}

v1::Alert ProofOf(std::vector<AlertEvent> events, int attempts = 1) {
  v1::Alert alert;
  for (int i = 1; i <= attempts; ++i) {
    alert.add_attempts()->set_step(1);
    alert.mutable_attempts()->rbegin()->set_attempt(i);
  }
  AddProof(events, alert);
  v1::Alert again = alert;  // the order of the events does not matter
  again.clear_acknowledgements();
  for (v1::Attempt& attempt : *again.mutable_attempts()) attempt.clear_pressed_keys();
  std::ranges::reverse(events);
  AddProof(events, again);
  EXPECT_EQ(again.reach(), alert.reach());
  for (int i = 0; i < attempts; ++i)
    EXPECT_EQ(again.attempts(i).SerializeAsString(), alert.attempts(i).SerializeAsString());
  return alert;
}

TEST(ProofTest, KeepsTheFirstActorWhoAcknowledgedByTheApi) {
  const auto by = [](const std::string& actor_id, std::int64_t time_us) {
    AlertEvent event = Acknowledged(v1::ACKNOWLEDGEMENT_METHOD_API, {}, time_us);
    event.actor_id = actor_id;
    return event;
  };
  std::vector<AlertEvent> events{by("ben", 2), by("ann", 1),
                                 Acknowledged(v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS, "CA1", 3)};
  KeepFirstActor(events);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].actor_id, "ann");
  EXPECT_EQ(events[1].acknowledgement_method, v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS);
}

TEST(ProofTest, HasTheStrongestProofOfAllAttempts) {  // V5
  EXPECT_EQ(ProofOf({}).reach(), v1::REACH_UNSPECIFIED);
  AlertEvent sending = Reported(v1::ATTEMPT_STATUS_SENDING, 1);
  sending.provider_sid.clear();
  EXPECT_EQ(ProofOf({sending}).reach(), v1::REACH_UNSPECIFIED);
  EXPECT_EQ(ProofOf({Reported(v1::ATTEMPT_STATUS_SENT, 2)}).reach(), v1::REACH_SUBMITTED);
  EXPECT_EQ(ProofOf({Reported(v1::ATTEMPT_STATUS_NO_ANSWER, 2)}).reach(), v1::REACH_SUBMITTED);
  EXPECT_EQ(ProofOf({Completed(v1::ANSWERED_BY_UNSPECIFIED, 5)}).reach(), v1::REACH_DELIVERED);
  EXPECT_EQ(ProofOf({Completed(v1::ANSWERED_BY_UNKNOWN, 5)}).reach(), v1::REACH_DELIVERED);
  EXPECT_EQ(ProofOf({Completed(v1::ANSWERED_BY_MACHINE, 5)}).reach(), v1::REACH_MACHINE);
  EXPECT_EQ(ProofOf({Completed(v1::ANSWERED_BY_HUMAN, 5)}).reach(), v1::REACH_HUMAN);
  EXPECT_EQ(
      ProofOf({Completed(v1::ANSWERED_BY_HUMAN, 5), Reported(v1::ATTEMPT_STATUS_NO_ANSWER, 50, 2)},
              2)
          .reach(),
      v1::REACH_HUMAN);
  EXPECT_EQ(ProofOf({Acknowledged(v1::ACKNOWLEDGEMENT_METHOD_API, "", 3)}).reach(),
            v1::REACH_ACKNOWLEDGED);
}

TEST(ProofTest, APressedKeyProvesAPersonThoughAMachineWasDetected) {  // V4
  const v1::Alert alert =
      ProofOf({Reported(v1::ATTEMPT_STATUS_ANSWERED_MACHINE, 20), Pressed("2", 25),
               Pressed("1", 30), Completed(v1::ANSWERED_BY_MACHINE, 12)});
  EXPECT_EQ(alert.attempts(0).answered_by(), v1::ANSWERED_BY_HUMAN);
  EXPECT_EQ(alert.attempts(0).duration().seconds(), 12);
  EXPECT_THAT(alert.attempts(0).pressed_keys(), ElementsAre("2", "1"));
  EXPECT_EQ(alert.reach(), v1::REACH_HUMAN);
}

TEST(ProofTest, EachAttemptHasItsOwnProof) {
  const v1::Alert alert = ProofOf(
      {Reported(v1::ATTEMPT_STATUS_NO_ANSWER, 50, 2), Completed(v1::ANSWERED_BY_MACHINE, 7)}, 2);
  EXPECT_EQ(alert.attempts(0).answered_by(), v1::ANSWERED_BY_MACHINE);
  EXPECT_EQ(alert.attempts(1).answered_by(), v1::ANSWERED_BY_UNSPECIFIED);
  EXPECT_FALSE(alert.attempts(1).has_duration());
  EXPECT_THAT(alert.attempts(1).pressed_keys(), IsEmpty());
}

TEST(ProofTest, ShowsEachAcknowledgementOnceWithItsEvidence) {  // V6
  const v1::Alert alert = ProofOf({Acknowledged(v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS, "CA1", 3),
                                   Acknowledged(v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS, "CA1", 4),
                                   Acknowledged(v1::ACKNOWLEDGEMENT_METHOD_LINK, "\xab\x01", 5)});
  ASSERT_THAT(alert.acknowledgements(), SizeIs(2));
  EXPECT_EQ(alert.acknowledgements(0).evidence(), "CA1");
  EXPECT_EQ(alert.acknowledgements(0).event_time().nanos(), 3'000);
  EXPECT_EQ(alert.acknowledgements(1).evidence(), "ab01");
}

}  // namespace
}  // namespace tocsin::audit
