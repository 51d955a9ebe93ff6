#include "tests/model/plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "services/ingress/acceptance/first_work.h"
#include "tests/model/ingress.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMaxSteps = 4;
constexpr std::uint64_t kMaxTargets = 3;  // of a step
constexpr Micros kMaxSendDelay = 900s;
constexpr Micros kMinLifetime = 60s;
constexpr Micros kMaxLifetime = 3600s;
constexpr Micros kMinWait = 1s;
constexpr Micros kShortWait = 30s;

void SetTime(WallTime time, google::protobuf::Timestamp& timestamp) {
  const std::int64_t time_us = ToUnixMicros(time);
  timestamp.set_seconds(time_us / 1'000'000);
  timestamp.set_nanos(static_cast<std::int32_t>(time_us % 1'000'000 * 1'000));
}

void SetDuration(Micros time, google::protobuf::Duration& duration) {
  duration.set_seconds(time.count() / 1'000'000);
  duration.set_nanos(static_cast<std::int32_t>(time.count() % 1'000'000 * 1'000));
}

void DrawTarget(Dice& dice, const std::vector<v1::Channel>& channels, v1::Step& step) {
  v1::Target& target = *step.add_targets();
  const std::size_t person = dice.Below(kPersons.size());
  target.set_person(kPersons[person]);
  target.set_to(fmt::format("+1514555{:04}", 123 + person));
  target.set_channel(channels[dice.Below(channels.size())]);
  if (target.channel() == v1::CHANNEL_VOICE)
    target.mutable_voice()->set_machine_detection(dice.Chance(0.7));
}

void DrawSteps(Dice& dice, const std::vector<v1::Channel>& channels, Micros lifetime,
               v1::Plan& plan) {
  const std::uint64_t steps = 1 + dice.Below(kMaxSteps);
  const Micros fair_wait = lifetime / static_cast<std::int64_t>(kMaxSteps);
  const Micros longest_wait = dice.Chance(0.5) ? std::min(kShortWait, fair_wait) : fair_wait;
  for (std::uint64_t i = 0; i < steps; ++i) {
    v1::Step& step = *plan.add_steps();
    if (i > 0) SetDuration(dice.Between(kMinWait, longest_wait), *step.mutable_wait_duration());
    const std::uint64_t targets = 1 + dice.Below(kMaxTargets);
    for (std::uint64_t j = 0; j < targets; ++j) DrawTarget(dice, channels, step);
  }
}

void DrawGoal(Dice& dice, Micros lifetime, v1::Plan& plan) {
  v1::Goal& goal = *plan.mutable_goal();
  switch (dice.Below(4)) {
    case 0: return goal.set_reach(v1::REACH_DELIVERED);
    case 1: goal.set_reach(v1::REACH_HUMAN); break;
    default: goal.set_reach(v1::REACH_ACKNOWLEDGED);
  }
  if (goal.reach() == v1::REACH_ACKNOWLEDGED) {
    std::set<std::string> persons;
    for (const v1::Step& step : plan.steps())
      for (const v1::Target& target : step.targets()) persons.insert(target.person());
    const std::uint64_t most = std::min<std::uint64_t>(persons.size(), 2);
    goal.set_person_count(static_cast<std::int32_t>(1 + dice.Below(most)));
  }
  if (dice.Chance(0.7)) SetDuration(dice.Between(lifetime / 4, lifetime), *goal.mutable_within());
}

}  // namespace

v1::EnqueueRequest DrawPlannedAlert(Dice& dice, const std::vector<v1::Channel>& channels,
                                    WallTime now) {
  v1::EnqueueRequest request;
  request.set_priority(dice.Chance(0.25)  ? v1::PRIORITY_EMERGENCY
                       : dice.Chance(0.5) ? v1::PRIORITY_NORMAL
                                          : v1::PRIORITY_BULK);
  WallTime begin = now;
  if (dice.Chance(0.3)) {
    begin += dice.Between(0s, kMaxSendDelay);
    SetTime(begin, *request.mutable_send_time());
  }
  const Micros lifetime = dice.Between(kMinLifetime, kMaxLifetime);
  SetTime(begin + lifetime, *request.mutable_expire_time());
  // Sometimes duplicates: the same text to the same recipient.
  request.set_text(fmt::format("Boiler {} is too hot", dice.Below(4)));
  DrawSteps(dice, channels, lifetime, *request.mutable_plan());
  DrawGoal(dice, lifetime, *request.mutable_plan());
  return request;
}

records::v1::WorkRecord FirstWorkOf(const v1::EnqueueRequest& request, const std::string& alert_id,
                                    std::int32_t max_attempts, const RegistrySnapshot& registry,
                                    Vault& vault, WallTime now) {
  auto checked = ingress::CheckRequest(request, registry, now, {.allow_pii_like_metadata = true});
  if (!checked) std::abort();  // the draw is wrong
  auto work = ingress::FirstWork({.alert_id = alert_id,
                                  .client_id = kClient,
                                  .request = *std::move(checked),
                                  .labels = {},
                                  .in_doubt_policy = request.in_doubt_policy(),
                                  .create_time = now,
                                  .max_attempts = max_attempts},
                                 vault, kPublicUrl);
  if (!work) std::abort();
  return *std::move(work);
}

}  // namespace tocsin::model
