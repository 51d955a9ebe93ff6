#include "common/redis/gcra_pacer.h"

#include <algorithm>
#include <cmath>

namespace tocsin::redis {
namespace {

constexpr Micros kBurst = std::chrono::seconds(1);
constexpr Micros kMaxInterval = std::chrono::days(7);  // no alert waits longer
constexpr std::size_t kMaxIdleLeases = 1024;

Micros SteadyNow() {
  return std::chrono::floor<Micros>(std::chrono::steady_clock::now().time_since_epoch());
}

// Of a reservation that starts at `start`.
WallTime TimeOf(WallTime now, WallTime start, Micros interval) {
  return std::max(now, start + interval - std::max(kBurst, interval));
}

// True while it lives.
class Flag {
 public:
  explicit Flag(bool& flag) : flag_(flag) { flag_ = true; }
  ~Flag() { flag_ = false; }
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;

 private:
  bool& flag_;
};

}  // namespace

// Nothing if the rest of the lease is too short.
std::optional<WallTime> GcraPacer::Lease::Take(Micros interval, WallTime latest) {
  const Micros now = SteadyNow();
  const WallTime start = std::max(next, WallTime(now + max_clock));
  if (start + interval > end) return std::nullopt;
  const WallTime time = TimeOf(WallTime(now + min_clock), start, interval);
  if (time > latest) return time;
  next = start + interval;
  ++reservations;
  return time;
}

// In whole reservations; only this one if a lease would end before the next one.
Micros GcraPacer::Lease::NextSpan(Micros interval) const {
  if (requested || reservations == 0) return interval;
  const Micros spacing = std::max(interval, (SteadyNow() - requested_at) / reservations);
  if (2 * spacing > kMaxRateLease) return interval;
  return std::min(kReservationsPerLease * spacing, kMaxRateLease) / interval * interval;
}

GcraPacer::Lease& GcraPacer::LeaseOf(const std::string& key) {
  if (leases_.size() >= kMaxIdleLeases && !leases_.contains(key))
    std::erase_if(leases_, [now = SteadyNow()](const auto& entry) {
      const Lease& lease = entry.second;
      return !lease.requested && WallTime(now + lease.min_clock) > lease.end;
    });
  return leases_[key];
}

Task<Result<WallTime>> GcraPacer::Reserve(const std::string& key, double units_per_second,
                                          std::int32_t units, WallTime latest) {
  if (!std::isfinite(units_per_second) || units_per_second <= 0)
    co_return Fail(ErrorCode::kInvalidArgument, "the rate of a sender must be positive");
  const double micros = std::ceil(std::max(std::int32_t{1}, units) * 1e6 / units_per_second);
  const Micros interval(
      static_cast<std::int64_t>(std::min(micros, static_cast<double>(kMaxInterval.count()))));
  Lease& lease = LeaseOf(key);
  if (const auto time = lease.Take(interval, latest)) co_return *time;

  const Micros span = lease.NextSpan(interval);
  // Reservations that are made meanwhile are requested one by one.
  std::optional<Flag> requested;
  const Micros sent = SteadyNow();
  if (!lease.requested) {
    requested.emplace(lease.requested);
    lease.requested_at = sent;
    lease.reservations = 0;
  }
  ++lease.reservations;
  ScriptCall call{.script = ReserveRateScript(),
                  .keys = {client_.keys().Rate(key)},
                  .args = {std::to_string(interval.count()), std::to_string(kBurst.count()),
                           std::to_string(ToUnixMicros(latest)), std::to_string(span.count())}};
  TOCSIN_CO_TRY(const Reply reply, co_await client_.Run(std::move(call)));
  if (!requested || reply.Text(0) != "reserved") co_return FromUnixMicros(reply.Number(2));

  const WallTime now = FromUnixMicros(reply.Number(3));
  const WallTime begin = FromUnixMicros(reply.Number(4));
  // What is left of a lease that this one continues is used first.
  const WallTime start = begin == lease.end ? std::max(lease.next, now) : begin;
  lease.next = start + interval;
  lease.end = begin + span;
  lease.min_clock = now.time_since_epoch() - SteadyNow() - Micros(1);
  lease.max_clock = now.time_since_epoch() - sent + Micros(1);
  co_return TimeOf(now, start, interval);
}

}  // namespace tocsin::redis
