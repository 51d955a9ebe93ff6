// Finds the work record of an attempt while its recipient is on the telephone.
#pragma once

#include <functional>

#include "common/base/result.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

class WorkLookup {
 public:
  virtual ~WorkLookup() = default;

  // Finds the work record, still encrypted: in the store within its timeout (1 s), or else in the
  // log at `position`, usually within a second; a broker that does not respond delays it by 35 s at
  // most. Never blocks; calls `done` once, on another thread or the caller's. Fails with kNotFound,
  // kOverloaded (too many lookups, or it could not start in time) or kKafkaUnavailable. Safe to use
  // from several threads.
  virtual void Find(const v1::AttemptRef& attempt, const records::v1::Position& position,
                    std::function<void(Result<records::v1::WorkRecord>)> done) = 0;
};

}  // namespace tocsin
