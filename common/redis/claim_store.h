// Claims in Redis.
#pragma once

#include "common/domain/open_try.h"
#include "common/ports/claims.h"
#include "common/redis/server.h"

namespace tocsin::redis {

// One script per transition on the alert's hash; Redis's order decides races, its clock judges
// leases. Where no outcome stands after Keep() (the try was released, or is held under another
// fence), the receipt it returns has no outcome. A SID that belongs to another try fails with
// kCorrupt.
class ClaimStore final : public Claims {
 public:
  // `first_look`: how long after a try got its SID its end and its price are looked for.
  explicit ClaimStore(Server& server, Micros first_look = ReconcileSchedule().first_look)
      : server_(server), first_look_(first_look) {}

  Result<Claim> Take(const ClaimRequest& request) override;
  Status Release(const v1::TryName& name, std::uint64_t fence) override;
  Result<v1::Receipt> Keep(const v1::TryName& name, std::uint64_t fence,
                           const v1::Receipt& receipt) override;
  Result<std::optional<v1::Receipt>> Settle(const DoubtRequest& request) override;
  Status Learn(const KnownTry& known) override;
  Result<std::optional<std::string>> Work(const v1::TryName& name) override;
  WallTime KnownSince() const override { return server_.KnownSince(); }

 private:
  Server& server_;
  const Micros first_look_;
};

}  // namespace tocsin::redis
