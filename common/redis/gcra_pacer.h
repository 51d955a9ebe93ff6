// Rate reservations in Redis.
#pragma once

#include "common/ports/claims.h"
#include "common/redis/server.h"

namespace tocsin::redis {

// The generic cell rate algorithm (ITU-T I.371) with Redis's clock, one key per sender or account.
// After a pause the reservations of one second (or one, if it is longer) may be used at once; over
// any window W at most rate x (W + that burst) units are sent.
class GcraPacer final : public Pacer {
 public:
  explicit GcraPacer(Server& server) : server_(server) {}

  Result<WallTime> Reserve(const std::string& key, double units_per_second, std::int32_t units,
                           WallTime latest) override;

 private:
  Server& server_;
};

}  // namespace tocsin::redis
