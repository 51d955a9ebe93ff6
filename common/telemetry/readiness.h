// Whether this process can do its work, and the state of each dependency. Written by health checks
// and adapters, read by the ops server and gRPC health.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace tocsin::telemetry {

constexpr size_t kDetailLimit = 512;  // bytes of a dependency's detail; the rest is truncated

enum class DependencyRole {
  kRequired,     // the process is not ready without it
  kInformative,  // shown by /health, does not affect readiness
};

struct DependencyState {
  std::string name;
  DependencyRole role = DependencyRole::kRequired;
  bool ok = false;
  WallTime since;      // when `ok` last changed
  std::string detail;  // human-readable; scrubbed
};

// Thread-safe. No function blocks for long.
class Readiness {
 public:
  using Clock = std::function<WallTime()>;
  static WallTime SystemNow();

  explicit Readiness(Clock now = SystemNow) : now_(std::move(now)) {}

  // Adds a dependency, which is not ok until Set() reports it.
  void Declare(std::string_view dependency, DependencyRole role = DependencyRole::kRequired);

  // Adds the dependency as a required one if it was not declared.
  void Set(std::string_view dependency, bool ok, std::string_view detail = "");

  // The process is shutting down: it is not ready from now on.
  void StartDraining();

  bool ready() const;  // every required dependency is ok, and not draining
  bool draining() const;
  std::vector<DependencyState> dependencies() const;  // by name

 private:
  bool ReadyLocked() const;

  const Clock now_;
  mutable std::mutex mutex_;
  bool draining_ = false;
  std::map<std::string, DependencyState, std::less<>> dependencies_;
};

// The bodies of /readyz (required dependencies) and /health (all dependencies, service, version).
std::string ReadyJson(const Readiness& readiness);
std::string HealthJson(const Readiness& readiness, std::string_view service);

}  // namespace tocsin::telemetry
