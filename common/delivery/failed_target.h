// Reports a failed target of a plan to the claim store.
#pragma once

#include "common/async/task.h"
#include "common/domain/delivery/follow_up.h"
#include "common/ports/claims.h"

namespace tocsin {

// If follow_up.target_failed is set, notes that the target of `work` has failed, and adds the event
// that no step of the plan is left. If the store does not respond, the next step starts after its
// wait, and there is no such event. The arguments must outlive the task.
Task<void> NoteFailedTarget(Claims& claims, const records::v1::WorkRecord& work, WallTime now,
                            FollowUp& follow_up);

}  // namespace tocsin
