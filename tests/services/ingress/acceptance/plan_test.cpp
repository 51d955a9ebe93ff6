#include "services/ingress/acceptance/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>

#include "common/domain/plan/plan.h"
#include "common/ports/sealed_content.h"
#include "services/ingress/acceptance/first_work.h"
#include "services/ingress/acceptance/request.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"

namespace tocsin::ingress {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kAnn = "+15145550101";
constexpr const char* kBen = "+15145550102";

WallTime Now() { return ManualClock().Now(); }

v1::Target& Add(v1::Step& step, const std::string& person, const std::string& to,
                v1::Channel channel = v1::CHANNEL_UNSPECIFIED) {
  v1::Target& target = *step.add_targets();
  target.set_person(person);
  target.set_to(to);
  target.set_channel(channel);
  return target;
}

// A message to ann; after 2 min a call to ann; after 3 min a call and a message to ben.
v1::EnqueueRequest ARequest() {
  v1::EnqueueRequest request;
  request.set_text("Pump 3 has stopped");
  v1::Plan& plan = *request.mutable_plan();
  plan.mutable_goal()->set_reach(v1::REACH_ACKNOWLEDGED);
  plan.mutable_goal()->set_person_count(2);
  plan.mutable_goal()->mutable_within()->set_seconds(900);
  Add(*plan.add_steps(), "ann", kAnn);
  v1::Step& second = *plan.add_steps();
  second.mutable_wait_duration()->set_seconds(120);
  Add(second, "ann", "", v1::CHANNEL_VOICE);
  v1::Step& third = *plan.add_steps();
  third.mutable_wait_duration()->set_seconds(180);
  Add(third, "ben", kBen, v1::CHANNEL_VOICE);
  Add(third, "ben", "", v1::CHANNEL_SMS).set_text("Ben, pump 3 has stopped");
  return request;
}

Result<CheckedRequest> Checked(const v1::EnqueueRequest& request) {
  RegistrySnapshot::Content content = TestRegistry();
  content.voice = ChannelMode::kLive;
  for (Sender& sender : content.senders) {
    sender.channels.insert(v1::CHANNEL_VOICE);
    sender.calls_per_second = 1;
  }
  return CheckRequest(request, *Built(std::move(content)), Now());
}

TEST(PlanRequestTest, FillsInDefaults) {
  const auto checked = Checked(ARequest());
  ASSERT_TRUE(checked) << checked.error().field << ' ' << checked.error().message;
  const std::vector<NormalizedTarget>& targets = checked->normalized.targets;
  ASSERT_EQ(targets.size(), 4u);
  EXPECT_EQ(targets[0].channel, v1::CHANNEL_SMS);
  EXPECT_EQ(targets[0].wait, Micros(0));
  EXPECT_EQ(targets[1].to.E164(), kAnn);
  EXPECT_EQ(targets[1].segment_count, 0);
  EXPECT_EQ(targets[1].plan_step, 2);
  EXPECT_EQ(targets[1].wait, minutes(2));
  EXPECT_EQ(targets[2].text.Reveal(), "Pump 3 has stopped");
  EXPECT_EQ(targets[3].to.E164(), kBen);
  EXPECT_EQ(targets[3].text.Reveal(), "Ben, pump 3 has stopped");
  EXPECT_EQ(checked->normalized.goal->person_count, 2);
  EXPECT_EQ(checked->deadline, Now() + minutes(15));
  EXPECT_EQ(checked->sender_ids.size(), 4u);
}

TEST(PlanRequestTest, TheGoalIsADeliveryByDefault) {
  v1::EnqueueRequest request = ARequest();
  request.mutable_plan()->clear_goal();
  const auto checked = Checked(request);
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->normalized.goal->reach, v1::REACH_DELIVERED);
  EXPECT_FALSE(checked->deadline);
}

TEST(PlanRequestTest, AGoalWithoutATimeHasTheExpireTime) {
  v1::EnqueueRequest request = ARequest();
  request.mutable_plan()->mutable_goal()->clear_within();
  request.mutable_plan()->mutable_goal()->set_person_count(0);
  const auto checked = Checked(request);
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->deadline, checked->expire_time);
  EXPECT_EQ(checked->normalized.goal->person_count, 1);
}

struct Refused {
  const char* name;
  const char* field;
  std::function<void(v1::EnqueueRequest&)> change;
  ErrorCode code = ErrorCode::kInvalidArgument;
};
void PrintTo(const Refused& row, std::ostream* out) { *out << row.name; }

v1::Target& TargetOf(v1::EnqueueRequest& request, int step, int target) {
  return *request.mutable_plan()->mutable_steps(step)->mutable_targets(target);
}

const Refused kRefused[] = {
    {"NumberBeside", "to", [](auto& r) { r.set_to(kAnn); }},
    {"ChannelBeside", "channel", [](auto& r) { r.set_channel(v1::CHANNEL_SMS); }},
    {"SenderBeside", "sender_id", [](auto& r) { r.set_sender_id("main"); }},
    {"VoiceBeside", "voice", [](auto& r) { r.mutable_voice(); }},
    {"NoStep", "plan.steps", [](auto& r) { r.mutable_plan()->clear_steps(); }},
    {"TooManySteps", "plan.steps",
     [](auto& r) {
       for (int i = 0; i < 14; ++i) *r.mutable_plan()->add_steps() = r.plan().steps(1);
     },
     ErrorCode::kTooManyItems},
    {"TooManyTargets", "plan.steps",
     [](auto& r) {
       for (int i = 0; i < 29; ++i) Add(*r.mutable_plan()->mutable_steps(2), "dan", kBen);
     },
     ErrorCode::kTooManyItems},
    {"NoTarget", "plan.steps[1].targets",
     [](auto& r) { r.mutable_plan()->mutable_steps(1)->clear_targets(); }},
    {"WaitInTheFirstStep", "plan.steps[0].wait_duration",
     [](auto& r) { r.mutable_plan()->mutable_steps(0)->mutable_wait_duration()->set_seconds(5); }},
    {"NoWait", "plan.steps[1].wait_duration",
     [](auto& r) { r.mutable_plan()->mutable_steps(1)->clear_wait_duration(); }},
    {"WaitTooShort", "plan.steps[1].wait_duration",
     [](auto& r) { r.mutable_plan()->mutable_steps(1)->mutable_wait_duration()->set_seconds(0); }},
    {"WaitNegative", "plan.steps[1].wait_duration",
     [](auto& r) {
       r.mutable_plan()->mutable_steps(1)->mutable_wait_duration()->set_seconds(-100);
     }},
    {"WaitTooLong", "plan.steps[1].wait_duration",
     [](auto& r) {
       r.mutable_plan()->mutable_steps(1)->mutable_wait_duration()->set_seconds(
           std::numeric_limits<std::int64_t>::max());
     }},
    {"WaitAfterTheExpireTime", "plan.steps[2].wait_duration",
     [](auto& r) {
       r.mutable_plan()->mutable_steps(2)->mutable_wait_duration()->set_seconds(86'400);
     }},
    {"NoPerson", "plan.steps[0].targets[0].person",
     [](auto& r) { TargetOf(r, 0, 0).clear_person(); }},
    {"PersonWithASpace", "plan.steps[0].targets[0].person",
     [](auto& r) { TargetOf(r, 0, 0).set_person("Ann Smith"); }},
    {"PersonIsANumber", "plan.steps[0].targets[0].person",
     [](auto& r) {
       TargetOf(r, 0, 0).set_person(kAnn);
       TargetOf(r, 1, 0).set_person(kAnn);
     }},
    {"UnknownChannel", "plan.steps[2].targets[1].channel",
     [](auto& r) { TargetOf(r, 2, 1).set_channel(static_cast<v1::Channel>(9)); }},
    {"NoNumber", "plan.steps[2].targets[0].to", [](auto& r) { TargetOf(r, 2, 0).clear_to(); }},
    {"InvalidNumber", "plan.steps[2].targets[0].to",
     [](auto& r) { TargetOf(r, 2, 0).set_to("5145550102"); }, ErrorCode::kInvalidPhoneFormat},
    {"OwnTextTooLong", "plan.steps[2].targets[1].text",
     [](auto& r) { TargetOf(r, 2, 1).set_text(std::string(1'601, 'a')); }, ErrorCode::kTextTooLong},
    {"NoText", "text", [](auto& r) { r.clear_text(); }},
    {"LinkInACall", "text", [](auto& r) { r.set_text("{ack_link}"); }},
    {"VoiceOptionsOfAMessage", "plan.steps[0].targets[0].voice",
     [](auto& r) { TargetOf(r, 0, 0).mutable_voice(); }},
    {"UnknownLanguage", "plan.steps[1].targets[0].voice.language_code",
     [](auto& r) { TargetOf(r, 1, 0).mutable_voice()->set_language_code("xx-YY"); }},
    {"UnknownSender", "plan.steps[1].targets[0].sender_id",
     [](auto& r) { TargetOf(r, 1, 0).set_sender_id("nobody"); }, ErrorCode::kNoRoute},
    {"GoalThatIsNone", "plan.goal.reach",
     [](auto& r) { r.mutable_plan()->mutable_goal()->set_reach(v1::REACH_MACHINE); }},
    {"MorePersonsThanThereAre", "plan.goal.person_count",
     [](auto& r) { r.mutable_plan()->mutable_goal()->set_person_count(3); }},
    {"NegativePersonCount", "plan.goal.person_count",
     [](auto& r) { r.mutable_plan()->mutable_goal()->set_person_count(-1); }},
    {"PersonsOfAnotherGoal", "plan.goal.person_count",
     [](auto& r) { r.mutable_plan()->mutable_goal()->set_reach(v1::REACH_HUMAN); }},
    {"TimeOfADelivery", "plan.goal.within",
     [](auto& r) {
       r.mutable_plan()->mutable_goal()->clear_person_count();
       r.mutable_plan()->mutable_goal()->set_reach(v1::REACH_DELIVERED);
     }},
    {"TimeAfterTheExpireTime", "plan.goal.within",
     [](auto& r) { r.mutable_plan()->mutable_goal()->mutable_within()->set_seconds(90'000); }},
};

class RefusedPlan : public testing::TestWithParam<Refused> {};

TEST_P(RefusedPlan, NamesReasonAndFieldButNoPersonalData) {
  v1::EnqueueRequest request = ARequest();
  GetParam().change(request);
  const auto checked = Checked(request);
  ASSERT_FALSE(checked);
  EXPECT_EQ(TraitsOf(checked.error().code).name, TraitsOf(GetParam().code).name);
  EXPECT_EQ(checked.error().field, GetParam().field) << checked.error().message;
  EXPECT_THAT(checked.error().message, Not(HasSubstr("555010")));
  EXPECT_THAT(checked.error().message, Not(HasSubstr("Pump")));
}

INSTANTIATE_TEST_SUITE_P(All, RefusedPlan, testing::ValuesIn(kRefused),
                         [](const auto& row) { return row.param.name; });

TEST(PlanRequestTest, EqualPlansHaveOneCanonicalForm) {
  const auto canonical = [](const v1::EnqueueRequest& request) {
    return CanonicalForm(request, *Normalize(request)).Reveal();
  };
  v1::EnqueueRequest spelled = ARequest();
  TargetOf(spelled, 0, 0).set_to("+1 (514) 555-0101");
  TargetOf(spelled, 1, 0).set_to(kAnn);
  TargetOf(spelled, 0, 0).set_channel(v1::CHANNEL_SMS);
  EXPECT_EQ(canonical(ARequest()), canonical(spelled));
  v1::EnqueueRequest other = ARequest();
  other.mutable_plan()->mutable_steps(1)->mutable_wait_duration()->set_seconds(121);
  EXPECT_NE(canonical(ARequest()), canonical(other));
}

// The work record that accepts the alert.

records::v1::WorkRecord Accepted(Vault& vault) {
  const NewAlert alert{.alert_id = "0190aaaa-0000-7000-8000-000000000000",
                       .client_id = "hospital",
                       .request = *Checked(ARequest()),
                       .labels = {},
                       .in_doubt_policy = v1::IN_DOUBT_POLICY_UNSPECIFIED,
                       .create_time = Now(),
                       .max_attempts = 5};
  return *FirstWork(alert, vault, "https://alerts.example.com");
}

TEST(PlanWorkTest, ContainsWhatLaterTargetsNeed) {
  FakeVault vault;
  const records::v1::WorkRecord work = Accepted(vault);
  EXPECT_EQ(work.plan().goal().reach(), v1::REACH_ACKNOWLEDGED);
  EXPECT_EQ(work.plan().goal().deadline_us(), ToUnixMicros(Now() + minutes(15)));
  ASSERT_EQ(work.plan().targets_size(), 4);
  EXPECT_FALSE(work.plan().targets(0).has_content()) << "it is the record's own";
  const records::v1::WorkRecord second = RecordsAtStart(work, Now()).back();
  EXPECT_EQ(OpenContent(vault, second)->to(), kAnn);
  EXPECT_EQ(OpenContent(vault, second)->text(), "Pump 3 has stopped");
  EXPECT_EQ(second.channel(), v1::CHANNEL_VOICE);
  EXPECT_FALSE(second.sender_id().empty());
}

TEST(PlanWorkTest, ContentsOfTwoStepsCannotBeExchanged) {
  FakeVault vault;
  records::v1::WorkRecord work = Accepted(vault);
  records::v1::PlannedTarget& second = *work.mutable_plan()->mutable_targets(1);
  records::v1::PlannedTarget& third = *work.mutable_plan()->mutable_targets(2);
  std::swap(*second.mutable_content(), *third.mutable_content());
  std::swap(*second.mutable_key(), *third.mutable_key());
  const records::v1::WorkRecord next = RecordsAtStart(work, Now()).back();
  EXPECT_FALSE(OpenContent(vault, next));
}

}  // namespace
}  // namespace tocsin::ingress
