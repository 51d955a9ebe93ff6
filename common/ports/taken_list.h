// What the carrier has on its books for one person: how a doubt is settled when no callback names
// the try.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/domain/registry.h"

namespace tocsin {

struct TakenQuery {
  Account account;
  Sender sender;  // only what this sender sent
  Pii to;         // E.164
  WallTime from;  // only what was created then or later, and until then
  WallTime until;
};

struct TakenEntry {
  std::string sid;
  WallTime created;         // the carrier's time, whole seconds
  std::optional<Pii> text;  // calls list none
};

class TakenList {
 public:
  virtual ~TakenList() = default;

  // Everything that fits, in no order: an answer that was not read whole is an error
  // (kTwilioApiError), never a shorter list. What was taken a moment ago may be missing: lists lag.
  // Blocks, never past `deadline`. Safe to call from several threads.
  virtual Result<std::vector<TakenEntry>> ListTaken(const TakenQuery& query,
                                                    SteadyTime deadline) = 0;
};

}  // namespace tocsin
