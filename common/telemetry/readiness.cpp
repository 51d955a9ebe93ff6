#include "common/telemetry/readiness.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/telemetry/log.h"
#include "common/telemetry/log_record.h"
#include "common/telemetry/scrub.h"

namespace tocsin::telemetry {
namespace {

using Json = nlohmann::ordered_json;

Json JsonOf(const DependencyState& state) {
  return {{"name", state.name},
          {"ok", state.ok},
          {"role", state.role == DependencyRole::kRequired ? "required" : "informative"},
          {"since", Rfc3339(state.since)},
          {"detail", state.detail}};
}

std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

WallTime Readiness::SystemNow() {
  return std::chrono::floor<Micros>(std::chrono::system_clock::now());
}

void Readiness::Declare(std::string_view dependency, DependencyRole role) {
  const WallTime now = now_();
  const std::lock_guard lock(mutex_);
  dependencies_.try_emplace(std::string(dependency),
                            DependencyState{std::string(dependency), role, false, now, "starting"});
}

void Readiness::Set(std::string_view dependency, bool ok, std::string_view detail) {
  const WallTime now = now_();
  std::string shown = Scrub(detail.substr(0, kDetailLimit));
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = dependencies_.try_emplace(
      std::string(dependency),
      DependencyState{std::string(dependency), DependencyRole::kRequired, ok, now, ""});
  DependencyState& state = entry->second;
  if (state.ok != ok) state.since = now;
  state.ok = ok;
  state.detail = std::move(shown);
}

void Readiness::StartDraining() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

bool Readiness::ready() const {
  const std::lock_guard lock(mutex_);
  return ReadyLocked();
}

bool Readiness::ReadyLocked() const {
  return !draining_ &&
         std::all_of(dependencies_.begin(), dependencies_.end(), [](const auto& entry) {
           return entry.second.ok || entry.second.role == DependencyRole::kInformative;
         });
}

bool Readiness::draining() const {
  const std::lock_guard lock(mutex_);
  return draining_;
}

std::vector<DependencyState> Readiness::dependencies() const {
  std::vector<DependencyState> states;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, state] : dependencies_) states.push_back(state);
  return states;
}

std::string ReadyJson(const Readiness& readiness) {
  Json dependencies = Json::array();
  for (const DependencyState& state : readiness.dependencies())
    if (state.role == DependencyRole::kRequired) dependencies.push_back(JsonOf(state));
  return Text({{"ready", readiness.ready()},
               {"draining", readiness.draining()},
               {"dependencies", std::move(dependencies)}});
}

std::string HealthJson(const Readiness& readiness, std::string_view service) {
  Json dependencies = Json::array();
  bool all_ok = true;
  for (const DependencyState& state : readiness.dependencies()) {
    all_ok = all_ok && state.ok;
    dependencies.push_back(JsonOf(state));
  }
  const bool ready = readiness.ready();
  return Text({{"status", !ready   ? "not_ready"
                          : all_ok ? "ok"
                                   : "degraded"},
               {"service", service},
               {"version", Version()},
               {"ready", ready},
               {"draining", readiness.draining()},
               {"dependencies", std::move(dependencies)}});
}

}  // namespace tocsin::telemetry
