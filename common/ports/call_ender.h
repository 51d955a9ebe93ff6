// Ends calls at the provider.
#pragma once

#include <string>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/registry/registry.h"

namespace tocsin {

class CallEnder {
 public:
  virtual ~CallEnder() = default;

  // Ends the call if it rings or waits in the provider's queue. No effect on a call that was
  // answered or has ended. Fails with kTwilioApiError if the provider does not respond. Ends at
  // `deadline` at the latest. Used on the loop's thread. Arguments must outlive the task.
  virtual Task<Status> EndUnanswered(const Account& account, const std::string& sid,
                                     SteadyTime deadline) = 0;
};

}  // namespace tocsin
