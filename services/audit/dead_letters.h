// Work that was given up: what is kept of it, and what an operator may do with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/domain/topics.h"
#include "common/ports/record_log.h"
#include "common/ports/vault.h"
#include "common/postgres/session.h"
#include "tocsin/v1/admin_service.pb.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::audit {

constexpr size_t kMaxDropReason = 256;  // characters

// Adds those that are new.
Status InsertDeadLetters(postgres::Transaction& transaction,
                         const std::vector<v1::DeadRecord>& letters);

// One page of ListDeadLetters, checked.
struct DeadLetterQuery {
  int rows = 0;
  int channel = 0;     // 0: both
  std::string reason;  // empty: all
  struct Place {
    std::int64_t dead_us = 0;
    v1::TryName name;
  };
  std::optional<Place> after;
  std::string bound_to;
};
Result<DeadLetterQuery> ParseListDeadLetters(const v1::ListDeadLettersRequest& request,
                                             const std::string& operator_id, Vault& vault);

// Blocks for one statement. Open ones only, newest first.
Result<v1::ListDeadLettersResponse> ListDeadLetters(postgres::Session& session,
                                                    const DeadLetterQuery& query, Vault& vault);

// What an operator decided about a letter, as it is written down before it is done.
struct Decision {
  v1::WorkRecord work;  // as it was given up
  std::string operator_id;
  WallTime time;
  bool forced = false;
  std::uint32_t next_try = 0;  // redriven
  std::string why;             // dropped
};

// Decides that the letter's next try is published, and writes that down: a repetition finds the
// same decision. kNotFound when there is no such letter or it was dropped; kExpired past its
// horizon; kOverloaded while the end of its try is not folded; kInDoubt when a try of its step was
// sent or is in doubt, or the letter itself says so, unless `force`. Blocks for a few statements.
Result<Decision> DecideRedrive(postgres::Session& session, const v1::TryName& name, bool force,
                               const std::string& operator_id, WallTime now);

// The same for closing it. kNotFound also when its next try was published.
Result<Decision> DecideDrop(postgres::Session& session, const v1::TryName& name,
                            const std::string& reason, const std::string& operator_id,
                            WallTime now);

// What a decision says to the logs: functions of it, so that a repetition is the same to the byte.
// The event that tells who did what.
OutgoingRecord ActOf(const Decision& decision, const Topics& topics);
// The next try, and the event that shows it in the alert's timeline; in the order they are to be
// published.
std::vector<OutgoingRecord> NextTryOf(const Decision& decision, const Topics& topics);

}  // namespace tocsin::audit
