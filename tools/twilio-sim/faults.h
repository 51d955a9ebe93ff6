// Injected faults: by rate, selected by the seed and the number of the request, or once, in a list
// that the next requests consume.
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
#include "tools/twilio-sim/random.h"

namespace tocsin::sim {

enum class FaultKind {
  kNone,
  kTooMany,           // 429, 20429; not accepted
  kError500,          // 500, 20500; not accepted
  kError500After,     // the same, but accepted
  kHtml503,           // a proxy's error page; not accepted
  kHtml502After,      // a proxy's error page, but accepted
  kResetBefore,       // TCP reset; not accepted
  kResetAfter,        // TCP reset; accepted
  kTimeoutBefore,     // no response, reset after hold_ms; not accepted
  kTimeoutAfter,      // no response, reset after hold_ms; accepted
  kCloseReused,       // a reused connection is closed without a response; not accepted
  kCloseReusedAfter,  // the same, but accepted
  kSlow,              // normal response, slow_ms later
  kSlowBytes,         // normal response, sent in pieces over slow_ms
  kEarly,             // normal response after early_ms: callbacks arrive before it
  kRefuse,            // refused with a given code; only in the list
};
inline constexpr size_t kFaultKinds = 16;

std::string_view NameOf(FaultKind kind);  // as in JSON: "reset_after"

struct Fault {
  FaultKind kind = FaultKind::kNone;
  std::optional<int> retry_after = {};  // s, with kTooMany
  int code = 0;                         // with kRefuse
};

struct CreateFaults {
  std::chrono::milliseconds latency{0};  // of every response
  std::chrono::milliseconds slow{3000};
  std::chrono::milliseconds early{300};
  std::chrono::milliseconds hold{60000};
  size_t max_in_flight = 0;  // above: 429; 0: no limit
  std::vector<std::pair<FaultKind, double>> rates;
};

struct CallbackFaults {
  double missing = 0;
  double doubled = 0;
  double reorder = 0;
  double early = 0;                           // kEarly for create requests without another fault
  std::chrono::milliseconds delay{0};         // of every callback
  std::chrono::milliseconds reorder_by{500};  // additional delay of a reordered callback
};

enum class CallbackFault { kNone, kMissing, kDoubled, kReordered };

constexpr size_t kMaxOneShots = 100'000;

class Faults {
 public:
  explicit Faults(std::uint64_t seed) : random_(seed) {}

  // Applies the members "seed", "create", "callback", "list" and "next" of a control request. A
  // given section replaces the previous one; "next" is appended. Fails with kInvalidArgument,
  // naming the member, and changes nothing.
  Result<void> Apply(const nlohmann::json& wanted);
  void Clear(std::uint64_t seed);

  // The fault of a create attempt. Consumes the next one-shot fault if there is one. kCloseReused
  // and kCloseReusedAfter have no effect unless `reused`.
  Fault ForCreate(std::uint64_t request_number, bool reused);
  CallbackFault ForCallback(std::uint64_t message_number, std::uint64_t step) const;

  const CreateFaults& Create() const { return create_; }
  const CallbackFaults& Callback() const { return callback_; }
  std::chrono::milliseconds ListLag() const { return list_lag_; }
  size_t OneShots() const { return next_.size(); }

 private:
  Fault Draw(std::uint64_t request_number);

  SeededRandom random_;
  CreateFaults create_;
  CallbackFaults callback_;
  std::chrono::milliseconds list_lag_{0};
  std::deque<Fault> next_;
};

}  // namespace tocsin::sim
