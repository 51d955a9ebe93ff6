// Ends calls that nobody has answered, when the plan of their alert does not need them any more.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/ports/call_ender.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/registry_source.h"

namespace tocsin {

// Used on the loop's thread. The parts must outlive it.
class UnansweredCalls {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    Claims& claims;
    CallEnder& ender;
  };

  explicit UnansweredCalls(Parts parts) : parts_(parts) {}

  // Ends those of the alert if the goal of its plan is reached, else those to persons who have
  // acknowledged or declined. One request per call, which is not repeated: a call that is not ended
  // rings until its timeout. At most 8 requests at the same time, each at most 5 s. Fails as Claims
  // does. `alert_id` must outlive the task.
  Task<Status> End(const std::string& alert_id);

 private:
  Task<void> EndNext(const std::vector<records::v1::AttemptResult>& calls, std::size_t& next,
                     const RegistrySnapshot& registry);

  const Parts parts_;
};

}  // namespace tocsin
