// Validation of plans (pure). Errors name the field with its path, such as
// "plan.steps[1].targets[0].to", and never repeat a number or a text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/domain/message/phone.h"
#include "tocsin/v1/alert_service.pb.h"

namespace tocsin::ingress {

// A phone that the alert may reach. Defaults are filled in.
struct NormalizedTarget {
  Phone to;
  v1::Channel channel = v1::CHANNEL_SMS;
  Pii text;                         // as given: a link is not in it yet
  std::int32_t segment_count = 0;   // of an SMS; 0 for a call
  v1::VoiceOptions voice;           // of a call
  std::string requested_sender_id;  // empty: selected by the registry's rules
  std::string path;                 // of its fields in errors; empty without a plan
  // The rest is for plans.
  std::string person;
  std::int32_t plan_step = 1;
  Micros wait{};
};

struct NormalizedGoal {
  v1::Reach reach = v1::REACH_DELIVERED;
  std::int32_t person_count = 0;  // 0 unless the goal is REACH_ACKNOWLEDGED
  std::optional<Micros> within;
};

// `target` as it is, with the request's text if it has none. `public_base_url`: of links.
Result<NormalizedTarget> NormalizeTarget(const v1::Target& target, const std::string& path,
                                         const std::string& default_text,
                                         const std::string& public_base_url);

// The targets of the request's plan in their order.
Result<std::vector<NormalizedTarget>> NormalizeTargets(const v1::EnqueueRequest& request,
                                                       const std::string& public_base_url);

Result<NormalizedGoal> NormalizeGoal(const v1::Goal& goal,
                                     const std::vector<NormalizedTarget>& targets);

// When the goal must be reached; nothing for REACH_DELIVERED. Fails if a step or the deadline is
// not before `expire_time`. `begin`: when the first step starts.
Result<std::optional<WallTime>> DeadlineOf(const NormalizedGoal& goal,
                                           const std::vector<NormalizedTarget>& targets,
                                           WallTime begin, WallTime expire_time);

}  // namespace tocsin::ingress
