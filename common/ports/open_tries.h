// The tries that the carrier has and whose end or price nobody has told yet: shared by all
// replicas, kept in Redis.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/open_try.h"

namespace tocsin {

struct DueTries {
  std::size_t open = 0;      // all of them, due or not
  std::vector<OpenTry> due;  // the longest due first
};

// A try enters when Claims learns its SID, to be looked at some time later, and leaves when its end
// and its price are told. Blocking calls, each bounded by the store's time-out (1 s); they fail as
// Claims does. Safe to call from several threads.
class OpenTries {
 public:
  virtual ~OpenTries() = default;

  // What is to be looked at by `now`, `most` at most. A try that is forgotten leaves by itself.
  virtual Result<DueTries> Due(v1::Channel channel, WallTime now, std::size_t most) = 0;

  // What was published of it, and when it is to be looked at again; without `again` it leaves.
  virtual Status Note(v1::Channel channel, const v1::TryName& name, const Reconciled& found) = 0;
};

}  // namespace tocsin
