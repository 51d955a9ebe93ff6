// What an operator decides about a dead letter. A decision is stored before its records are
// published, so that a repeated request finds it and publishes the same records.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/record_log.h"
#include "common/ports/topics.h"
#include "common/postgres/session.h"
#include "tocsin/records/v1/records.pb.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::audit {

constexpr size_t kMaxDiscardReason = 256;  // characters

struct Decision {
  records::v1::WorkRecord work;  // as it was given up
  std::string traceparent;       // of the dead letter
  std::string actor_id;          // the operator
  WallTime time;
  bool forced = false;
  std::int32_t next_attempt = 0;  // redriven: the number of the new attempt
  std::string discard_reason;     // discarded
};

// Decides to publish a new attempt. A decision whose attempt is not projected and that is now
// refused is undone: the dead letter is open again. Fails with
// - kNotFound: there is no such dead letter, or it was discarded;
// - kExpired: after the alert's expire time;
// - kCancelled: the alert was cancelled, was acknowledged by as many persons as its plan requires,
//   or missed the goal of its plan, so that nothing would be sent;
// - kOverloaded: the end of the attempt was not projected yet;
// - kInDoubt: an attempt of the step was sent or is in doubt. Not with `force`.
// Blocks for a few statements.
Result<Decision> DecideRedrive(postgres::Session& session, const v1::AttemptRef& attempt,
                               bool force, const std::string& actor_id, WallTime now);

// Decides to discard a dead letter. `regions`: those of the registry's senders. Fails with
// - kInvalidArgument: `reason` is empty, too long, or looks like PII (FindPii): it is stored in the
//   clear;
// - kNotFound: there is no such dead letter, or it was redriven.
// Blocks for a few statements.
Result<Decision> DecideDiscard(postgres::Session& session, const v1::AttemptRef& attempt,
                               const std::string& reason, std::span<const std::string> regions,
                               const std::string& actor_id, WallTime now);

// The records of a decision. Functions of the decision alone: a repetition has identical bytes.

// The event that records who did what.
OutgoingRecord AdminActionRecordOf(const Decision& decision, const Topics& topics);

// The event that shows the new attempt in the timeline, then its work record; to be published in
// this order.
std::vector<OutgoingRecord> NextAttemptRecordsOf(const Decision& decision, const Topics& topics);

}  // namespace tocsin::audit
