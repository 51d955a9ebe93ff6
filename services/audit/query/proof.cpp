#include "services/audit/query/proof.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "common/base/encoding.h"
#include "services/audit/query/timeline.h"

namespace tocsin::audit {
namespace {

void AddProof(const AttemptProjection& projected, v1::Attempt& attempt) {
  attempt.set_answered_by(projected.answered_by());
  for (const std::string& key : projected.pressed_keys()) attempt.add_pressed_keys(key);
  if (projected.duration_seconds() > 0)
    attempt.mutable_duration()->set_seconds(projected.duration_seconds());
}

v1::Acknowledgement MakeAcknowledgement(const AlertEvent& event) {
  v1::Acknowledgement acknowledgement;
  SetTime(event.time, *acknowledgement.mutable_event_time());
  acknowledgement.set_method(event.acknowledgement_method);
  acknowledgement.set_actor_id(event.actor_id);
  acknowledgement.set_person(event.person);
  // A digest is bytes, a SID is text.
  acknowledgement.set_evidence(event.acknowledgement_method == v1::ACKNOWLEDGEMENT_METHOD_LINK
                                   ? HexEncode(event.evidence)
                                   : event.evidence);
  return acknowledgement;
}

// An acknowledgement may have two events: while the store is away, each key press is published
// under an id of its own.
bool Equal(const AlertEvent& a, const AlertEvent& b) {
  const auto key = [](const AlertEvent& event) {
    return std::tie(event.acknowledgement_method, event.actor_id, event.evidence, event.person);
  };
  return key(a) == key(b);
}

}  // namespace

void KeepFirstActor(std::vector<AlertEvent>& events) {
  const auto by_api = [](const AlertEvent& event) {
    return event.kind == AlertEventKind::kAcknowledged &&
           event.acknowledgement_method == v1::ACKNOWLEDGEMENT_METHOD_API;
  };
  const AlertEvent* first = nullptr;
  for (const AlertEvent& event : events)
    if (by_api(event) &&
        (first == nullptr || std::tie(event.time, event.id) < std::tie(first->time, first->id)))
      first = &event;
  if (first == nullptr) return;
  const std::string actor_id = first->actor_id;
  std::erase_if(
      events, [&](const AlertEvent& event) { return by_api(event) && event.actor_id != actor_id; });
}

void AddProof(std::span<const AlertEvent> events, v1::Alert& alert) {
  const ProjectedAlert projected = ProjectAlert(true, events);
  alert.set_reach(projected.reach);
  for (v1::Attempt& attempt : *alert.mutable_attempts())
    for (const AttemptProjection& of : projected.attempts)
      if (of.step() == attempt.step() && of.attempt() == attempt.attempt()) AddProof(of, attempt);
  std::vector<const AlertEvent*> added;
  for (const AlertEvent& event : events) {
    if (event.kind != AlertEventKind::kAcknowledged ||
        std::ranges::any_of(added, [&](const AlertEvent* other) { return Equal(*other, event); }))
      continue;
    added.push_back(&event);
    *alert.add_acknowledgements() = MakeAcknowledgement(event);
  }
}

}  // namespace tocsin::audit
