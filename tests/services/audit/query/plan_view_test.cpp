#include "services/audit/query/plan_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/audit/projection/plan_terms.h"
#include "services/audit/query/timeline.h"

namespace tocsin::audit {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::int64_t kSecond = 1'000'000;

// A message to ann; after 2 min calls to ben and cleo, of whom two must acknowledge.
records::v1::WorkRecord AnAcceptance() {
  records::v1::WorkRecord work;
  work.mutable_recipient()->set_last_four("0101");
  work.mutable_recipient()->set_token("a token");
  records::v1::Plan& plan = *work.mutable_plan();
  plan.mutable_goal()->set_reach(v1::REACH_ACKNOWLEDGED);
  plan.mutable_goal()->set_person_count(2);
  plan.mutable_goal()->set_deadline_us(900 * kSecond);
  const auto add = [&](std::int32_t plan_step, const char* person, v1::Channel channel) {
    records::v1::PlannedTarget& target = *plan.add_targets();
    target.set_plan_step(plan_step);
    target.set_person(person);
    target.set_channel(channel);
    if (plan_step > 1) target.set_wait_us(120 * kSecond);
    target.mutable_recipient()->set_last_four("0102");
    target.mutable_recipient()->set_token("a token");
    target.mutable_content()->set_ciphertext("sealed");
    target.mutable_key()->set_wrapped("wrapped");
  };
  add(1, "ann", v1::CHANNEL_SMS);
  add(2, "ben", v1::CHANNEL_VOICE);
  add(2, "cleo", v1::CHANNEL_VOICE);
  return work;
}

records::v1::Plan APlan() { return ParsePlan(PlanJson(AnAcceptance())); }

AlertEvent Changed(std::int32_t step, v1::AttemptStatus status, std::int64_t seconds) {
  AlertEvent event;
  event.id = std::to_string(step) + '/' + std::to_string(status);
  event.step = step;
  event.attempt = 1;
  event.status = status;
  event.time = FromUnixMicros(seconds * kSecond);
  return event;
}

AlertEvent AcknowledgedBy(const std::string& person) {
  AlertEvent event;
  event.id = "acknowledged by " + person;
  event.kind = AlertEventKind::kAcknowledged;
  event.person = person;
  return event;
}

v1::AlertPlan ViewOf(const std::vector<AlertEvent>& events,
                     v1::AlertState state = v1::ALERT_STATE_SENDING) {
  v1::Alert alert;
  alert.set_state(state);
  AddPlan(APlan(), events, alert);
  return alert.plan();
}

TEST(PlanTermsTest, TheRowContainsNothingThatIsEncrypted) {
  const std::string json = PlanJson(AnAcceptance());
  EXPECT_THAT(json, HasSubstr("cleo"));
  for (const char* hidden : {"token", "content", "key", "wrapped"})
    EXPECT_THAT(json, Not(HasSubstr(hidden)));
}

TEST(PlanTermsTest, AnAlertWithoutAPlanHasTheDefaults) {
  EXPECT_THAT(PlanJson({}), IsEmpty());
  EXPECT_EQ(TermsOf(ParsePlan("")).target_count, 1);
  EXPECT_EQ(TermsOf(ParsePlan("{")).goal, v1::REACH_DELIVERED) << "unparsable";
  EXPECT_EQ(TermsOf(APlan()).target_count, 3);
  EXPECT_EQ(TermsOf(APlan()).person_count, 2);
}

TEST(PlanViewTest, ShowsStepsToCome) {
  const v1::AlertPlan plan = ViewOf({});
  EXPECT_EQ(plan.goal(), v1::REACH_ACKNOWLEDGED);
  EXPECT_EQ(plan.person_count(), 2);
  EXPECT_EQ(plan.deadline().seconds(), 900);
  ASSERT_EQ(plan.steps_size(), 2);
  EXPECT_FALSE(plan.steps(0).has_wait_duration());
  EXPECT_EQ(plan.steps(1).wait_duration().seconds(), 120);
  EXPECT_FALSE(plan.steps(0).has_start_time());
  EXPECT_FALSE(plan.has_next_step_time());
  ASSERT_EQ(plan.steps(1).targets_size(), 2);
  EXPECT_EQ(plan.steps(1).targets(1).number(), 3);
  EXPECT_EQ(plan.steps(1).targets(1).person(), "cleo");
  EXPECT_EQ(plan.steps(1).targets(1).channel(), v1::CHANNEL_VOICE);
  EXPECT_EQ(plan.steps(0).targets(0).masked_recipient(), "*******0101");
  EXPECT_EQ(plan.steps(1).targets(0).masked_recipient(), "*******0102");
}

TEST(PlanViewTest, ShowsWhenTheNextStepStarts) {
  const std::vector<AlertEvent> events{Changed(1, v1::ATTEMPT_STATUS_SENDING, 10),
                                       Changed(1, v1::ATTEMPT_STATUS_DELIVERED, 12)};
  const v1::AlertPlan plan = ViewOf(events);
  EXPECT_EQ(plan.steps(0).start_time().seconds(), 10);
  EXPECT_EQ(plan.next_step_time().seconds(), 130);
  EXPECT_EQ(plan.steps(0).targets(0).status(), v1::ATTEMPT_STATUS_DELIVERED);
  EXPECT_EQ(plan.steps(0).targets(0).reach(), v1::REACH_DELIVERED);
  EXPECT_FALSE(ViewOf(events, v1::ALERT_STATE_CANCELLED).has_next_step_time());
}

TEST(PlanViewTest, ShowsWhoHasAcknowledged) {
  const v1::AlertPlan plan = ViewOf({AcknowledgedBy("ben")});
  EXPECT_EQ(plan.steps(0).targets(0).reach(), v1::REACH_UNSPECIFIED);
  EXPECT_EQ(plan.steps(1).targets(0).reach(), v1::REACH_ACKNOWLEDGED);
}

TEST(PlanViewTest, AnAlertWithoutAPlanHasNone) {
  v1::Alert alert;
  AddPlan({}, {}, alert);
  EXPECT_FALSE(alert.has_plan());
  EXPECT_EQ(ChannelOf({}, 1, v1::CHANNEL_SMS), v1::CHANNEL_SMS);
  EXPECT_EQ(ChannelOf(APlan(), 3, v1::CHANNEL_SMS), v1::CHANNEL_VOICE);
}

TEST(PlanViewTest, TheTimelineNamesThePersons) {
  AlertEvent by_key = AcknowledgedBy("ben");
  by_key.acknowledgement_method = v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS;
  AlertEvent by_api = AcknowledgedBy("cleo");
  by_api.acknowledgement_method = v1::ACKNOWLEDGEMENT_METHOD_API;
  by_api.actor_id = "dispatcher";
  AlertEvent declined = AcknowledgedBy("ann");
  declined.id = "declined";
  declined.kind = AlertEventKind::kDeclined;
  declined.acknowledgement_method = v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS;
  AlertEvent by_reply = declined;
  by_reply.id = "declined by a reply";
  by_reply.person = "dan";
  by_reply.acknowledgement_method = v1::ACKNOWLEDGEMENT_METHOD_REPLY;
  AlertEvent without_plan = by_reply;
  without_plan.id = "declined without a plan";
  without_plan.person.clear();
  std::vector<std::string> lines;
  for (const auto& entry :
       MakeTimeline(v1::CHANNEL_SMS, std::nullopt,
                    std::vector{by_key, by_api, declined, by_reply, without_plan}, APlan()))
    lines.push_back(entry.description());
  EXPECT_THAT(lines,
              testing::UnorderedElementsAre("Acknowledged by ben, by key press",
                                            "Acknowledged by cleo, reported by dispatcher",
                                            "Declined by ann, by key press",
                                            "Declined by dan, by a reply", "Declined by a reply"));
}

}  // namespace
}  // namespace tocsin::audit
