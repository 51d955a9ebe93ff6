// Whether this process can do its work, and what it still waits for. Written by adapters' hooks,
// read by the operations server and gRPC health.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace tocsin::telemetry {

constexpr size_t kDetailLimit = 512;  // bytes of a dependency's detail; the rest is cut off

enum class Role {
  kRequired,     // without it the process is not ready
  kInformative,  // told in /health, never a reason to be not ready: Twilio
};

struct DependencyState {
  std::string name;
  Role role = Role::kRequired;
  bool ok = false;
  WallTime since;      // when `ok` last changed
  std::string detail;  // for people; scrubbed
};

// Thread-safe; every call is short.
class Readiness {
 public:
  using Clock = std::function<WallTime()>;
  static WallTime SystemNow();

  explicit Readiness(Clock now = SystemNow) : now_(std::move(now)) {}

  // From now on the dependency counts; it is not ok until Set() says so.
  void Declare(std::string_view dependency, Role role = Role::kRequired);

  // A dependency that was not declared becomes a required one.
  void Set(std::string_view dependency, bool ok, std::string_view detail = "");

  // Not ready from here on, for good: the process leaves.
  void StartDraining();

  bool ready() const;  // every required dependency is ok, and no draining
  bool draining() const;
  std::vector<DependencyState> dependencies() const;  // by name

 private:
  bool ReadyLocked() const;

  const Clock now_;
  mutable std::mutex mutex_;
  bool draining_ = false;
  std::map<std::string, DependencyState, std::less<>> dependencies_;
};

// The bodies of /readyz (required dependencies) and /health (all, with the service and its
// version).
std::string ReadyJson(const Readiness& readiness);
std::string HealthJson(const Readiness& readiness, std::string_view service);

}  // namespace tocsin::telemetry
