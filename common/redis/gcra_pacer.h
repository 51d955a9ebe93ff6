// Turns at a sender's rate, in Redis.
#pragma once

#include "common/ports/claims.h"
#include "common/redis/server.h"

namespace tocsin::redis {

// The generic cell rate algorithm (ITU-T I.371), in Redis's time, one key per sender. A sender that
// rested may send what one second (or one turn, if that is longer) allows at once; over any window
// W it never gets more than rate x (W + that burst). Fails with kInvalidArgument unless the rate is
// positive and finite; 0 segments count as 1.
class GcraPacer final : public Pacer {
 public:
  explicit GcraPacer(Server& server) : server_(server) {}

  Result<WallTime> TakeTurn(const std::string& sender, double units_per_second, unsigned segments,
                            WallTime latest) override;

 private:
  Server& server_;
};

}  // namespace tocsin::redis
