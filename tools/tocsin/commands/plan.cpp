// tocsin plan: what would follow from a plan.
#include <chrono>
#include <cstdio>
#include <iostream>

#include "common/domain/plan/plan_scenarios.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/plan_file.h"

namespace tocsin::cli {
namespace {

constexpr Micros kRing = std::chrono::seconds(30);  // TOCSIN_VOICE_RING_TIMEOUT by default
constexpr std::chrono::hours kExpireTime{7 * 24};   // the longest possible
constexpr const char* kTitle =
    "what would follow from each way in which the persons respond; "
    "sends nothing";

// The record that would accept the alert, without numbers and texts.
records::v1::WorkRecord WorkOf(const v1::Plan& plan) {
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_step(1);
  work.mutable_attempt()->set_attempt(1);
  work.set_kind(records::v1::WORK_KIND_ATTEMPT);
  work.set_expire_time_us(Micros(kExpireTime).count());
  records::v1::Goal& goal = *work.mutable_plan()->mutable_goal();
  const bool has_goal = plan.goal().reach() != v1::REACH_UNSPECIFIED;
  goal.set_reach(has_goal ? plan.goal().reach() : v1::REACH_DELIVERED);
  if (goal.reach() == v1::REACH_ACKNOWLEDGED)
    goal.set_person_count(std::max(plan.goal().person_count(), 1));
  if (goal.reach() != v1::REACH_DELIVERED) {
    const Micros within = std::chrono::seconds(plan.goal().within().seconds());
    goal.set_deadline_us(plan.goal().has_within() ? within.count() : work.expire_time_us());
  }
  for (int i = 0; i < plan.steps_size(); ++i)
    for (const v1::Target& target : plan.steps(i).targets()) {
      records::v1::PlannedTarget& planned = *work.mutable_plan()->add_targets();
      planned.set_plan_step(i + 1);
      planned.set_wait_us(
          Micros(std::chrono::seconds(plan.steps(i).wait_duration().seconds())).count());
      planned.set_person(target.person());
      planned.set_channel(target.channel() == v1::CHANNEL_VOICE ? v1::CHANNEL_VOICE
                                                                : v1::CHANNEL_SMS);
    }
  work.set_channel(work.plan().targets(0).channel());
  return work;
}

// "+1:02:03"
std::string TimeText(Micros time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  char text[32];
  const int size = std::snprintf(
      text, sizeof text, "+%lld:%02lld:%02lld", static_cast<long long>(seconds / 3600),
      static_cast<long long>(seconds / 60 % 60), static_cast<long long>(seconds % 60));
  return {text, static_cast<size_t>(size)};
}

nlohmann::json ToJson(const Scenario& scenario) {
  nlohmann::json json{{"title", scenario.title}, {"entries", nlohmann::json::array()}};
  for (const ScenarioEntry& entry : scenario.entries)
    json["entries"].push_back(
        {{"seconds", std::chrono::duration_cast<std::chrono::seconds>(entry.time).count()},
         {"step", entry.plan_step},
         {"person", entry.person},
         {"description", entry.text}});
  return json;
}

void Print(const Scenario& scenario) {
  std::cout << scenario.title << '\n';
  for (const ScenarioEntry& entry : scenario.entries) {
    std::cout << "  " << TimeText(entry.time) << "  ";
    if (entry.plan_step > 0)
      std::cout << "step " << entry.plan_step << "  " << entry.person << ": ";
    std::cout << entry.text << '\n';
  }
  std::cout << '\n';
}

int Explain(const std::string& path, const Common& common) {
  const Result<std::string> content = ReadFile(path, kMaxPlanBytes);
  if (!content) return ReportMisuse(content.error());
  const Result<v1::Plan> plan = ParsePlan(*content, path, /*has_text=*/true);
  if (!plan) return ReportMisuse(plan.error());
  auto json = nlohmann::json::array();
  for (const Scenario& scenario : ScenariosOf(WorkOf(*plan), CallRetryPolicy(), kRing)) {
    if (common.json)
      json.push_back(ToJson(scenario));
    else
      Print(scenario);
  }
  if (common.json) PrintJson({{"scenarios", json}});
  return kDone;
}

}  // namespace

void AddPlan(CLI::App& app, Action& action) {
  CLI::App& plan = *app.add_subcommand("plan", "explain the plan of an alert");
  plan.require_subcommand(1);
  const auto path = std::make_shared<std::string>();
  CLI::App& explain = *plan.add_subcommand("explain", kTitle);
  explain.add_option("file", *path, "the plan: YAML")->required()->type_name("FILE");
  explain.callback([path, &action] {
    action = [path](const Common& common) { return Explain(*path, common); };
  });
}

}  // namespace tocsin::cli
