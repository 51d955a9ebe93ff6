// Reading the records of one alert from the log.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/record_log.h"

namespace tocsin {

// Used on the loop's thread. All fail with kKafkaUnavailable.
class AlertHistory {
 public:
  virtual ~AlertHistory() = default;

  // The records with the key `alert_id` in the partition of `last`, with a timestamp from `from`
  // on, up to `last`, which must exist; in their order. Fails when it has not reached `last` by
  // `deadline`; may take a few seconds longer.
  virtual Task<Result<std::vector<IncomingRecord>>> ReadTo(std::string alert_id,
                                                           records::v1::Position last,
                                                           WallTime from, SteadyTime deadline) = 0;

  // The same for a topic, up to the end of the alert's partition when the reading starts.
  virtual Task<Result<std::vector<IncomingRecord>>> ReadAll(std::string alert_id, std::string topic,
                                                            WallTime from, SteadyTime deadline) = 0;

  // The record at a position; nothing if the log has deleted it. Takes 30 s at most.
  virtual Task<Result<std::optional<IncomingRecord>>> At(records::v1::Position position) = 0;
};

}  // namespace tocsin
