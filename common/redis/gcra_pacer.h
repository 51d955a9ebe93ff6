// Rate reservations in Redis.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "common/ports/claims.h"
#include "common/redis/script_client.h"

namespace tocsin::redis {

// So short that the leases of ten replicas stay within the burst of a second: they delay nothing.
constexpr Micros kMaxRateLease = std::chrono::milliseconds(100);
constexpr int kReservationsPerLease = 1000;

// The generic cell rate algorithm (ITU-T I.371) with Redis's clock, one key per sender or account.
// After a pause the reservations of one second (or one, if it is longer) may be used at once; over
// any window W at most rate x (W + that burst) units are sent.
//
// Under load it leases a span of the rate and divides it among the next reservations without a
// request: enough for kReservationsPerLease at the spacing of the last ones, kMaxRateLease at most.
// A lease ends by the clock like a reservation, so what is unused never adds to a later burst. A
// crash wastes one lease.
class GcraPacer final : public Pacer {
 public:
  explicit GcraPacer(ScriptClient& client) : client_(client) {}

  Task<Result<WallTime>> Reserve(const std::string& key, double units_per_second,
                                 std::int32_t units, WallTime latest) override;

 private:
  struct Lease {
    WallTime next;  // start of the next reservation
    WallTime end;   // of the lease
    // From the steady clock to Redis's clock: it is not more exact than a round trip.
    Micros min_clock{};
    Micros max_clock{};
    Micros requested_at{};  // steady clock
    int reservations = 0;   // since then
    bool requested = false;

    std::optional<WallTime> Take(Micros interval, WallTime latest);
    Micros NextSpan(Micros interval) const;
  };

  Lease& LeaseOf(const std::string& key);

  ScriptClient& client_;
  std::map<std::string, Lease> leases_;
};

}  // namespace tocsin::redis
