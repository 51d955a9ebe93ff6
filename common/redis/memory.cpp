#include "common/redis/memory.h"

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/base/failpoint.h"

namespace tocsin::redis {
namespace {

std::string RandomName() { return HexEncode(RandomBytes(16)); }

std::string Mark(std::string_view epoch, std::string_view identity) {
  return std::string(epoch).append("@").append(identity);
}

}  // namespace

void Memory::Held::Saw(std::int64_t promised) {
  std::int64_t highest = tide.load();
  while (highest < promised && !tide.compare_exchange_weak(highest, promised)) {
  }
}

Memory::Memory(Keys keys, std::string known_epoch, bool waits_for_rebuild,
               std::function<void()> on_lost)
    : keys_(std::move(keys)),
      known_epoch_(std::move(known_epoch)),
      waits_for_rebuild_(waits_for_rebuild),
      on_lost_(std::move(on_lost)) {}

std::shared_ptr<Memory::Held> Memory::Current() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

Status Memory::Meet(Connection& connection, const ServerInfo& info, SteadyTime deadline) {
  std::string seen;
  {
    const std::lock_guard lock(mutex_);
    if (held_ != nullptr) seen = identity_;
  }
  if (seen == info.identity) return {};
  if (!seen.empty()) {
    TOCSIN_CHECK_OK(waits_for_rebuild_ ? CompareWhole(connection, info, deadline)
                                       : CompareTide(connection, deadline));
  } else if (waits_for_rebuild_ || !known_epoch_.empty()) {
    // The scripts compare from here on; a process that came back to another epoch is told at its
    // first call.
    const std::lock_guard lock(mutex_);
    if (held_ == nullptr) {
      held_ = std::make_shared<Held>();
      held_->epoch = known_epoch_;
      held_->process = RandomName();
    }
  } else {
    TOCSIN_CHECK_OK(Adopt(connection, deadline));
  }
  const std::lock_guard lock(mutex_);
  identity_ = info.identity;
  return {};
}

Status Memory::Adopt(Connection& connection, SteadyTime deadline) {
  const std::string founded = RandomName();
  TOCSIN_CHECK_OK(connection.Ask({"SET", keys_.Epoch(), founded, "NX"}, deadline));
  TOCSIN_TRY(const Reply standing, connection.Ask({"GET", keys_.Epoch()}, deadline));
  if (standing.text.empty()) return Fail(Unavailable("its epoch vanished while it was read"));
  const std::lock_guard lock(mutex_);
  if (held_ != nullptr && held_->epoch == standing.text) return {};
  held_ = std::make_shared<Held>();
  held_->epoch = standing.text;
  held_->process = RandomName();
  return {};
}

Status Memory::CompareTide(Connection& connection, SteadyTime deadline) {
  const std::shared_ptr<Held> held = Current();
  const std::int64_t promised = held->tide.load();
  if (promised == 0) return {};
  TOCSIN_TRY(const Reply epoch, connection.Ask({"GET", keys_.Epoch()}, deadline));
  if (epoch.text != held->epoch) return Fail(Lost(*held));
  TOCSIN_TRY(Reply found, connection.Ask({"HGET", keys_.Tide(), held->process}, deadline));
  Reply tide;
  tide.items.push_back(std::move(found));
  if (tide.Number(0) >= promised) return {};
  TOCSIN_CHECK_OK(connection.Ask({"SET", keys_.Epoch(), RandomName()}, deadline));
  return Fail(Lost(*held));
}

// Gives no error: whoever restores the claims needs the connection. The scripts of all others are
// refused, for the epoch they hold has gone.
Status Memory::CompareWhole(Connection& connection, const ServerInfo& info, SteadyTime deadline) {
  const std::shared_ptr<Held> held = Current();
  TOCSIN_TRY(const Reply epoch, connection.Ask({"GET", keys_.Epoch()}, deadline));
  TOCSIN_TRY(const Reply whole, connection.Ask({"GET", keys_.Whole()}, deadline));
  const bool restored = whole.text == Mark(epoch.text, info.identity);
  if (restored && epoch.text == held->epoch) return {};
  // Whoever restores claims just now began with the Redis before, and has to begin anew.
  if (!restored) TOCSIN_CHECK_OK(connection.Ask({"SET", keys_.Epoch(), RandomName()}, deadline));
  Lost(*held);
  return {};
}

std::string Memory::WholeMark(std::string_view epoch) const {
  const std::lock_guard lock(mutex_);
  return Mark(epoch, identity_);
}

void Memory::Take(const std::string& epoch, WallTime known_since) {
  const std::lock_guard lock(mutex_);
  known_since_us_ = ToUnixMicros(known_since);
  if (held_ != nullptr && held_->epoch == epoch) return;
  held_ = std::make_shared<Held>();
  held_->epoch = epoch;
  held_->process = RandomName();
}

Error Memory::Lost(const Held& held) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = std::exchange(reported_, held.epoch) != held.epoch;
  }
  if (first && on_lost_ && !TOCSIN_WITHOUT("epoch")) on_lost_();
  return {.code = ErrorCode::kRedisUnavailable, .message = "Redis lost its memory (epoch changed)"};
}

}  // namespace tocsin::redis
