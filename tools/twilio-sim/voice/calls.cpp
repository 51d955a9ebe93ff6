#include "tools/twilio-sim/voice/calls.h"

#include <algorithm>
#include <utility>

#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kPrefix = "CA";

}  // namespace

std::optional<WallTime> NextDueOf(const Call& call) {
  std::optional<WallTime> earliest;
  for (const auto& due : {call.next_at, call.detected_at, call.ends_at}) {
    if (due && (!earliest || *due < *earliest)) earliest = due;
  }
  return earliest;
}

Call& Calls::Add(const CallDraft& draft, PhoneScript phone, WallTime now) {
  Call& call = store_.Add(draft.to);
  call.request = draft;
  call.phone = std::move(phone);
  call.created = now;
  call.updated = now;
  call.reached[static_cast<size_t>(CallStatus::kQueued)] = ToUnixMicros(now);
  call.notes = draft.warnings;
  return call;
}

std::string Calls::SidOf(const Call& call) const {
  return sim::SidOf(random_, kPrefix, call.number);
}

Call* Calls::FindBySid(std::string_view sid) {
  const auto number = sid.starts_with(kPrefix) ? NumberOf(random_, sid) : std::nullopt;
  Call* const call = number ? store_.Mutable(*number) : nullptr;
  return call == nullptr || call->deleted ? nullptr : call;
}

void Calls::Schedule(const Call& call) {
  if (const auto due = NextDueOf(call)) steps_.Add(*due, call.number);
}

// Entries whose call is no longer due are dropped.
Call* Calls::PopDue(WallTime now) {
  while (const auto step = steps_.PopDue(now)) {
    Call* const call = store_.Mutable(step->number);
    if (call == nullptr || call->Final()) continue;
    const auto due = NextDueOf(*call);
    if (due && *due <= now) return call;
  }
  return nullptr;
}

std::optional<WallTime> Calls::NextDue() const {
  return documents_.empty() ? steps_.NextDue() : WallTime();
}

void Calls::Clear(std::optional<std::uint64_t> seed) {
  if (seed) random_ = RandomOf(*seed);
  store_.Clear(seed.has_value());
  steps_.Clear();
  documents_.clear();
}

}  // namespace tocsin::sim
