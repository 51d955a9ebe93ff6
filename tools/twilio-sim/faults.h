// What goes wrong on purpose: by rate, drawn from the seed and the request's number, or once, in a
// list that the next requests use up.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "tools/twilio-sim/dice.h"

namespace tocsin::sim {

enum class FaultKind {
  kNone,
  kTooMany,           // 429, 20429; not accepted
  kError500,          // 500, 20500; not accepted
  kError500After,     // the same, but accepted
  kHtml503,           // a proxy's page; not accepted
  kHtml502After,      // a proxy's page, but accepted
  kResetBefore,       // TCP reset; not accepted
  kResetAfter,        // TCP reset; accepted
  kTimeoutBefore,     // no answer, reset after hold_ms; not accepted
  kTimeoutAfter,      // no answer, reset after hold_ms; accepted
  kCloseReused,       // a kept connection is closed without an answer; not accepted
  kCloseReusedAfter,  // the same, but accepted
  kSlow,              // answered as usual, slow_ms later
  kSlowBytes,         // answered as usual, but in pieces over slow_ms
  kEarly,             // answered as usual, but only after early_ms: the callbacks come first
  kRefuse,            // refused with the code given; once only
};
inline constexpr size_t kFaultKinds = 16;

std::string_view NameOf(FaultKind kind);  // as in JSON: "reset_after"

struct Fault {
  FaultKind kind = FaultKind::kNone;
  std::optional<int> retry_after = {};  // s, with kTooMany
  int code = 0;                         // with kRefuse
};

struct CreateFaults {
  std::chrono::milliseconds latency{0};  // of every answer
  std::chrono::milliseconds slow{3000};
  std::chrono::milliseconds early{300};
  std::chrono::milliseconds hold{60000};
  size_t max_in_flight = 0;  // beyond it 429; 0: no limit
  std::vector<std::pair<FaultKind, double>> rates;
};

struct CallbackFaults {
  double missing = 0;
  double doubled = 0;
  double reorder = 0;
  double early = 0;  // the create answer is held back: a share of what the create rates leave over
  std::chrono::milliseconds delay{0};         // of every callback
  std::chrono::milliseconds reorder_by{500};  // how much later a reordered one is sent
};

enum class CallbackFault { kNone, kMissing, kDoubled, kReordered };

constexpr size_t kMaxOneShots = 100'000;

class Faults {
 public:
  explicit Faults(std::uint64_t seed) : dice_(seed) {}

  // Takes the members "seed", "create", "callback", "list" and "next" of a control request: a
  // section that is there replaces the former one, "next" is appended. Fails with kInvalidArgument,
  // naming the member; then nothing has changed.
  Result<void> Apply(const nlohmann::json& wanted);
  void Clear(std::uint64_t seed);

  // The fault of a create attempt. Uses up a one-shot fault, if there is any. The close of a kept
  // connection leaves one alone that is not `reused`.
  Fault ForCreate(std::uint64_t request_number, bool reused);
  CallbackFault ForCallback(std::uint64_t message_number, std::uint64_t step) const;

  const CreateFaults& Create() const { return create_; }
  const CallbackFaults& Callback() const { return callback_; }
  std::chrono::milliseconds ListLag() const { return list_lag_; }
  size_t OneShots() const { return next_.size(); }

 private:
  Fault Draw(std::uint64_t request_number);

  Dice dice_;
  CreateFaults create_;
  CallbackFaults callback_;
  std::chrono::milliseconds list_lag_{0};
  std::deque<Fault> next_;
};

}  // namespace tocsin::sim
