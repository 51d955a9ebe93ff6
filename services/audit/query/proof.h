// What proves that an alert reached a person, and how far it got (pure).
#pragma once

#include <span>
#include <vector>

#include "common/domain/alert/alert_projection.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

// Removes the acknowledgements by the API of all actors but the first one. Of an alert without a
// plan only the first counts; the store keeps those before the first attempt, because the alert
// may have a plan.
void KeepFirstActor(std::vector<AlertEvent>& events);

// Sets what the events prove: `reach` and `acknowledgements` of `alert`, and of each of its
// attempts the duration, who answered, and the pressed keys. `events`: all events of the alert.
void AddProof(std::span<const AlertEvent> events, v1::Alert& alert);

}  // namespace tocsin::audit
