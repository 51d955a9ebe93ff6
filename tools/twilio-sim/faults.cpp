#include "tools/twilio-sim/faults.h"

#include <array>
#include <nlohmann/json.hpp>

#include "tools/twilio-sim/json_reader.h"

namespace tocsin::sim {
namespace {

constexpr std::array<std::string_view, kFaultKinds> kNames = {
    "none",          "429",          "500",
    "500_after",     "503_html",     "502_html_after",
    "reset_before",  "reset_after",  "timeout_before",
    "timeout_after", "close_reused", "close_reused_after",
    "slow",          "slow_bytes",   "early",
    "refuse"};

std::optional<FaultKind> KindNamed(std::string_view name) {
  for (size_t i = 1; i < kFaultKinds; ++i) {
    if (kNames[i] == name) return static_cast<FaultKind>(i);
  }
  return std::nullopt;
}

Result<CreateFaults> ReadCreate(const nlohmann::json& json) {
  JsonReader reader(json, "create");
  CreateFaults faults;
  faults.latency = reader.Milliseconds("latency_ms").value_or(faults.latency);
  faults.slow = reader.Milliseconds("slow_ms").value_or(faults.slow);
  faults.early = reader.Milliseconds("early_ms").value_or(faults.early);
  faults.hold = reader.Milliseconds("hold_ms").value_or(faults.hold);
  faults.max_in_flight =
      static_cast<size_t>(reader.Integer("max_in_flight", 0, 1'000'000).value_or(0));
  double sum = 0;
  for (size_t i = 1; i < kFaultKinds; ++i) {
    const auto kind = static_cast<FaultKind>(i);
    if (kind == FaultKind::kRefuse) continue;  // needs a code
    const auto rate = reader.Number("rate_" + std::string(kNames[i]), 0, 1);
    if (!rate) continue;
    faults.rates.emplace_back(kind, *rate);
    sum += *rate;
  }
  if (sum > 1.0 + 1e-9) reader.AddError("", "has rates with a sum above 1");
  TOCSIN_CHECK_OK(reader.Finish());
  return faults;
}

Result<CallbackFaults> ReadCallback(const nlohmann::json& json) {
  JsonReader reader(json, "callback");
  CallbackFaults faults;
  faults.missing = reader.Number("rate_missing", 0, 1).value_or(0);
  faults.doubled = reader.Number("rate_double", 0, 1).value_or(0);
  faults.reorder = reader.Number("rate_reorder", 0, 1).value_or(0);
  faults.early = reader.Number("rate_early", 0, 1).value_or(0);
  faults.delay = reader.Milliseconds("delay_ms").value_or(faults.delay);
  faults.reorder_by = reader.Milliseconds("reorder_ms").value_or(faults.reorder_by);
  if (faults.missing + faults.doubled + faults.reorder > 1.0 + 1e-9) {
    reader.AddError("", "has rates with a sum above 1");
  }
  TOCSIN_CHECK_OK(reader.Finish());
  return faults;
}

Result<std::deque<Fault>> ReadNext(const nlohmann::json& json) {
  if (!json.is_array()) return Fail(ErrorCode::kInvalidArgument, "next must be an array", "next");
  std::deque<Fault> next;
  for (const nlohmann::json& item : json) {
    JsonReader reader(item, "next[" + std::to_string(next.size()) + ']');
    Fault fault;
    const auto kind = KindNamed(reader.Text("kind").value_or(""));
    if (!kind) reader.AddError("kind", "is not a fault kind");
    fault.kind = kind.value_or(FaultKind::kNone);
    const auto retry_after = reader.Integer("retry_after", 0, 86'400);
    if (retry_after) fault.retry_after = static_cast<int>(*retry_after);
    fault.code = static_cast<int>(reader.Integer("code", 10'000, 99'999).value_or(0));
    if ((fault.kind == FaultKind::kRefuse) != (fault.code != 0)) {
      reader.AddError("code", "is required for kind refuse and invalid for others");
    }
    TOCSIN_CHECK_OK(reader.Finish());
    next.push_back(fault);
  }
  return next;
}

}  // namespace

std::string_view NameOf(FaultKind kind) { return kNames[static_cast<size_t>(kind)]; }

Result<void> Faults::Apply(const nlohmann::json& wanted) {
  Faults changed = *this;
  JsonReader reader(wanted, "");
  if (const auto seed = reader.Integer("seed", 0, INT64_MAX)) {
    changed.random_ = SeededRandom(static_cast<std::uint64_t>(*seed));
  }
  if (const auto* create = reader.Value("create")) {
    TOCSIN_TRY(changed.create_, ReadCreate(*create));
  }
  if (const auto* callback = reader.Value("callback")) {
    TOCSIN_TRY(changed.callback_, ReadCallback(*callback));
  }
  if (const auto* list = reader.Value("list")) {
    JsonReader list_reader(*list, "list");
    changed.list_lag_ = list_reader.Milliseconds("lag_ms").value_or(std::chrono::milliseconds(0));
    TOCSIN_CHECK_OK(list_reader.Finish());
  }
  if (const auto* next = reader.Value("next")) {
    TOCSIN_TRY(const std::deque<Fault> more, ReadNext(*next));
    changed.next_.insert(changed.next_.end(), more.begin(), more.end());
    if (changed.next_.size() > kMaxOneShots) reader.AddError("next", "is too long");
  }
  TOCSIN_CHECK_OK(reader.Finish());
  *this = std::move(changed);
  return {};
}

void Faults::Clear(std::uint64_t seed) { *this = Faults(seed); }

Fault Faults::ForCreate(std::uint64_t request_number, bool reused) {
  const Fault fault = Draw(request_number);
  const bool closes =
      fault.kind == FaultKind::kCloseReused || fault.kind == FaultKind::kCloseReusedAfter;
  return closes && !reused ? Fault() : fault;
}

Fault Faults::Draw(std::uint64_t request_number) {
  if (!next_.empty()) {
    const Fault fault = next_.front();
    next_.pop_front();
    return fault;
  }
  if (create_.rates.empty() && callback_.early == 0) return {};
  double remaining = random_.Unit(Purpose::kCreateFault, request_number);
  for (const auto& [kind, rate] : create_.rates) {
    if (remaining < rate) return {.kind = kind};
    remaining -= rate;
  }
  if (remaining < callback_.early) return {.kind = FaultKind::kEarly};
  return {};
}

CallbackFault Faults::ForCallback(std::uint64_t message_number, std::uint64_t step) const {
  double remaining = random_.Unit(Purpose::kCallbackFault, message_number, step);
  if (remaining < callback_.missing) return CallbackFault::kMissing;
  remaining -= callback_.missing;
  if (remaining < callback_.doubled) return CallbackFault::kDoubled;
  remaining -= callback_.doubled;
  return remaining < callback_.reorder ? CallbackFault::kReordered : CallbackFault::kNone;
}

}  // namespace tocsin::sim
