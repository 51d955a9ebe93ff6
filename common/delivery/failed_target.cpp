#include "common/delivery/failed_target.h"

#include "common/domain/plan/plan.h"

namespace tocsin {

Task<void> NoteFailedTarget(Claims& claims, const records::v1::WorkRecord& work, WallTime now,
                            FollowUp& follow_up) {
  if (!follow_up.target_failed) co_return;
  const auto exhausted = co_await claims.NoteTargetFailed(work.attempt(), LastTargetsOf(work), now);
  if (exhausted && *exhausted) follow_up.events.push_back(PlanExhaustedEvent(work, **exhausted));
}

}  // namespace tocsin
