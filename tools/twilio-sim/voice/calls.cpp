#include "tools/twilio-sim/voice/calls.h"

#include <algorithm>
#include <utility>

#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kPrefix = "CA";

}  // namespace

std::optional<WallTime> NextInstant(const Call& call) {
  std::optional<WallTime> nearest;
  for (const auto& instant : {call.next_at, call.detected_at, call.ends_at}) {
    if (instant && (!nearest || *instant < *nearest)) nearest = instant;
  }
  return nearest;
}

Call& Calls::Add(const CallDraft& draft, PhoneScript phone, WallTime now) {
  Call& call = shelf_.Add(draft.to);
  call.asked = draft;
  call.phone = std::move(phone);
  call.created = now;
  call.updated = now;
  call.reached[static_cast<size_t>(CallStatus::kQueued)] = ToUnixMicros(now);
  call.notes = draft.oddities;
  return call;
}

std::string Calls::SidOf(const Call& call) const { return sim::SidOf(dice_, kPrefix, call.number); }

Call* Calls::Show(std::string_view sid) {
  const auto number = sid.starts_with(kPrefix) ? NumberOf(dice_, sid) : std::nullopt;
  Call* const call = number ? shelf_.Mutable(*number) : nullptr;
  return call == nullptr || call->deleted ? nullptr : call;
}

void Calls::Plan(const Call& call) {
  if (const auto due = NextInstant(call)) steps_.Plan(*due, call.number);
}

// A step that was planned and then overtaken finds nothing due and is dropped.
Call* Calls::TakeDue(WallTime now) {
  while (const auto step = steps_.TakeDue(now)) {
    Call* const call = shelf_.Mutable(step->number);
    if (call == nullptr || call->Final()) continue;
    const auto due = NextInstant(*call);
    if (due && *due <= now) return call;
  }
  return nullptr;
}

std::optional<WallTime> Calls::NextDue() const {
  return arrived_.empty() ? steps_.NextDue() : WallTime();
}

void Calls::Clear(std::optional<std::uint64_t> seed) {
  if (seed) dice_ = DiceOf(*seed);
  shelf_.Clear(seed.has_value());
  steps_.Clear();
  arrived_.clear();
}

}  // namespace tocsin::sim
