// Open tries in Redis.
#pragma once

#include "common/ports/open_tries.h"
#include "common/redis/server.h"

namespace tocsin::redis {

// A sorted set per channel, by when each try is looked at; ClaimStore and ClaimStoreMemory enter
// tries into it.
class OpenTryStore final : public OpenTries {
 public:
  explicit OpenTryStore(Server& server) : server_(server) {}

  Result<DueTries> Due(v1::Channel channel, WallTime now, std::size_t most) override;
  Status Note(v1::Channel channel, const v1::TryName& name, const Reconciled& found) override;

 private:
  Server& server_;
};

}  // namespace tocsin::redis
