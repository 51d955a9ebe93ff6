// Validation of EnqueueRequest (pure).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/domain/registry/registry.h"
#include "services/ingress/acceptance/plan.h"
#include "tocsin/records/v1/records.pb.h"
#include "tocsin/v1/alert_service.pb.h"

namespace tocsin::ingress {

// What a request means, whatever the registry and the time are. Defaults are filled in.
struct NormalizedRequest {
  v1::Priority priority = v1::PRIORITY_NORMAL;
  std::vector<NormalizedTarget> targets;  // without a plan one
  std::optional<NormalizedGoal> goal;     // only with a plan

  const NormalizedTarget& first() const { return targets.front(); }
};

// A request that may be accepted.
struct CheckedRequest {
  NormalizedRequest normalized;
  std::vector<std::string> sender_ids;  // of the targets
  std::optional<WallTime> send_time;    // nothing: now
  WallTime expire_time;
  std::optional<WallTime> deadline = {};  // of the plan's goal
};

struct RequestRules {
  bool allow_pii_like_metadata = false;  // skips CheckMetadata()
  std::string public_base_url = {};      // of links in messages; no trailing slash
};

// Checks what depends on the request and the length of a link alone. Fails as CheckRequest() does.
Result<NormalizedRequest> Normalize(const v1::EnqueueRequest& request,
                                    const RequestRules& rules = {});

// The request in protobuf's deterministic form, without its key and without differences of
// spelling: equal for equal requests, however they are written. A link is not in its text yet.
Pii CanonicalForm(const v1::EnqueueRequest& request, const NormalizedRequest& normalized);

// Checks the request against the registry and selects the sender. The error names the field, the
// reason and the fix; it never repeats `to`, `text`, or metadata that looks like personal data.
Result<CheckedRequest> CheckRequest(const v1::EnqueueRequest& request,
                                    const RegistrySnapshot& registry, WallTime now,
                                    const RequestRules& rules = {});

}  // namespace tocsin::ingress
