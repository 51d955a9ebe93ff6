#include "common/domain/plan/plan_scenarios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/domain/plan/plan_progress.h"

namespace tocsin {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::SizeIs;

void AddTarget(records::v1::Plan& plan, std::int32_t plan_step, const std::string& person,
               v1::Channel channel, Micros wait = {}) {
  records::v1::PlannedTarget& target = *plan.add_targets();
  target.set_plan_step(plan_step);
  target.set_person(person);
  target.set_channel(channel);
  target.set_wait_us(wait.count());
}

// A message to ann; after 2 min a call to ann; after 3 min calls to ben and cleo. Two must
// acknowledge within 15 min.
records::v1::WorkRecord AnAlert() {
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_step(1);
  work.mutable_attempt()->set_attempt(1);
  work.set_kind(records::v1::WORK_KIND_ATTEMPT);
  work.set_channel(v1::CHANNEL_SMS);
  work.set_expire_time_us(Micros(std::chrono::hours(24)).count());
  records::v1::Plan& plan = *work.mutable_plan();
  plan.mutable_goal()->set_reach(v1::REACH_ACKNOWLEDGED);
  plan.mutable_goal()->set_person_count(2);
  plan.mutable_goal()->set_deadline_us(Micros(minutes(15)).count());
  AddTarget(plan, 1, "ann", v1::CHANNEL_SMS);
  AddTarget(plan, 2, "ann", v1::CHANNEL_VOICE, minutes(2));
  AddTarget(plan, 3, "ben", v1::CHANNEL_VOICE, minutes(3));
  AddTarget(plan, 3, "cleo", v1::CHANNEL_VOICE, minutes(3));
  return work;
}

// "seconds person text"
std::vector<std::string> Lines(const std::vector<ScenarioEntry>& entries) {
  std::vector<std::string> lines;
  for (const ScenarioEntry& entry : entries)
    lines.push_back(std::to_string(std::chrono::duration_cast<seconds>(entry.time).count()) + ' ' +
                    (entry.plan_step == 0 ? "" : entry.person + ' ') + entry.text);
  return lines;
}

std::vector<std::string> Responding(Response of_ann, Response of_ben, Response of_cleo) {
  return Lines(Simulate(
      AnAlert(),
      [&](const std::string& person, int, v1::Channel) {
        return person == "ann" ? of_ann : person == "ben" ? of_ben : of_cleo;
      },
      {.max_calls = 1}, seconds(30)));
}

TEST(PlanScenariosTest, NobodyResponds) {
  EXPECT_THAT(Responding(Response::kNone, Response::kNone, Response::kNone),
              ElementsAre("0 ann message, delivered", "120 ann call, not answered",
                          "150 ben call, not answered", "150 cleo call, not answered",
                          "900 NOT_ACKNOWLEDGED"))
      << "the call to ann rang for 30 s and was the last of its target";
}

TEST(PlanScenariosTest, NobodyCanBeReached) {
  EXPECT_THAT(Responding(Response::kUnreachable, Response::kUnreachable, Response::kUnreachable),
              ElementsAre("0 ann message, refused by Twilio", "0 ann call, refused by Twilio",
                          "0 ben call, refused by Twilio", "0 cleo call, refused by Twilio",
                          "900 NOT_ACKNOWLEDGED"));
}

TEST(PlanScenariosTest, APersonWhoAcknowledgedIsNotContactedAgain) {
  EXPECT_THAT(
      Responding(Response::kAcknowledge, Response::kAcknowledge, Response::kNone),
      ElementsAre("0 ann message, acknowledged", "120 ben call, acknowledged", "120 ACKNOWLEDGED"));
}

TEST(PlanScenariosTest, ADeclineStartsTheNextStep) {
  EXPECT_THAT(Responding(Response::kDecline, Response::kAcknowledge, Response::kAcknowledge),
              ElementsAre("0 ann message, declined", "0 ben call, acknowledged",
                          "0 cleo call, acknowledged", "0 ACKNOWLEDGED"));
}

TEST(PlanScenariosTest, CallsAreRepeatedAsByTheWorkers) {
  const auto entries = Simulate(
      AnAlert(), [](auto&, int, v1::Channel) { return Response::kNone; }, {}, seconds(30));
  EXPECT_THAT(Lines(entries),
              ElementsAre("0 ann message, delivered", "120 ann call, not answered",
                          "300 ben call, not answered", "300 cleo call, not answered",
                          "450 ann call, not answered", "630 ben call, not answered",
                          "630 cleo call, not answered", "780 ann call, not answered",
                          "900 NOT_ACKNOWLEDGED"));
}

TEST(PlanScenariosTest, ADeliveryIsTheDefaultGoal) {
  records::v1::WorkRecord work = AnAlert();
  work.mutable_plan()->mutable_goal()->Clear();
  work.mutable_plan()->mutable_goal()->set_reach(v1::REACH_DELIVERED);
  EXPECT_THAT(Lines(Simulate(
                  work, [](auto&, int, v1::Channel) { return Response::kNone; }, {}, seconds(30))),
              ElementsAre("0 ann message, delivered", "0 DELIVERED"));
}

TEST(PlanScenariosTest, EachPersonHasScenarios) {
  std::vector<std::string> titles;
  for (const Scenario& scenario : ScenariosOf(AnAlert(), {}, seconds(30))) {
    titles.push_back(scenario.title);
    EXPECT_FALSE(scenario.entries.empty()) << scenario.title;
  }
  EXPECT_THAT(titles, SizeIs(2 + 3 * 2 + 1));
}

}  // namespace
}  // namespace tocsin
