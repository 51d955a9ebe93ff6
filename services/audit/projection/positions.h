// Table positions: how far each partition was projected.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/postgres/session.h"
#include "services/audit/projection/record_decoder.h"

namespace tocsin::audit {

using Positions = std::map<PartitionKey, std::int64_t>;  // the next offsets

struct PositionMove {
  std::optional<std::int64_t> from;  // nothing: the partition was never projected
  std::int64_t to = 0;
};

// The next offset of the partition; nothing if it was never projected.
Result<std::optional<std::int64_t>> ReadPosition(postgres::Transaction& transaction,
                                                 const std::string& cluster_id,
                                                 const PartitionKey& partition);

// Of all partitions that were projected.
Result<Positions> ReadPositions(postgres::Transaction& transaction, const std::string& cluster_id);

// Compare-and-set of all moves. Fails with kOutcomeUnknown if a position is not at `from`.
Status MovePositions(postgres::Transaction& transaction, const std::string& cluster_id,
                     const std::map<PartitionKey, PositionMove>& moves);

}  // namespace tocsin::audit
