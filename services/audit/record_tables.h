// The tables beside the alerts: webhooks, callbacks without a try, wrapped keys, what cannot be
// read, and the positions. Functions of one transaction.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/postgres/session.h"
#include "services/audit/intake.h"

namespace tocsin::audit {

struct PositionMove {
  std::optional<std::int64_t> from;  // nothing: never folded before
  std::int64_t to = 0;
};

Result<std::optional<std::int64_t>> ReadPosition(postgres::Transaction& transaction,
                                                 const std::string& cluster_id,
                                                 const PartitionKey& partition);

// Compare-and-set of all. Fails with kOutcomeUnknown when one of them is not where it was.
Status MovePositions(postgres::Transaction& transaction, const std::string& cluster_id,
                     const std::map<PartitionKey, PositionMove>& moves);

// Adds the webhooks that are new; status callbacks without a try wait among the orphans.
Status InsertWebhooks(postgres::Transaction& transaction,
                      const std::vector<v1::WebhookRecord>& webhooks);

// The facts of orphans whose SID is told by one of `facts`; they leave the orphans.
Result<std::vector<AlertFact>> AdoptByFacts(postgres::Transaction& transaction,
                                            const std::vector<AlertFact>& facts);

// The facts of orphans whose SID is that of a try made in the 60 days before `received`; they leave
// the orphans.
Result<std::vector<AlertFact>> AdoptBySid(postgres::Transaction& transaction,
                                          const std::vector<std::string>& sids, WallTime received);
// The same for the orphans stored within kOrphanSweepWindow, kSweepLimit at most, passing over
// those another process has in hand.
Result<std::vector<AlertFact>> AdoptYoung(postgres::Transaction& transaction, WallTime now);

Status DropOldOrphans(postgres::Transaction& transaction, WallTime now);

Status InsertKeys(postgres::Transaction& transaction,
                  const std::map<std::string, WrappedKeyRow>& keys);

Status InsertUnparsed(postgres::Transaction& transaction, const std::string& cluster_id,
                      const std::vector<UnparsedRow>& rows);

}  // namespace tocsin::audit
