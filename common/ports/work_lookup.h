// Finding the work of a try while its recipient waits on the telephone.
#pragma once

#include <functional>

#include "common/base/result.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

class WorkLookup {
 public:
  virtual ~WorkLookup() = default;

  // The work record of the try, still sealed. Never blocks: answers once, on another thread or on
  // the caller's, within a second when a store remembers it, within a few when it has to be read
  // from the log at `position`. kNotFound when nobody has it, kOverloaded when too many ask at
  // once, kRedisUnavailable or kKafkaUnavailable. Safe to call from several threads.
  virtual void Find(const v1::TryName& name, const v1::Position& position,
                    std::function<void(Result<v1::WorkRecord>)> answer) = 0;
};

}  // namespace tocsin
