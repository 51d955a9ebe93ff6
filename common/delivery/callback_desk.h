// What the log tells the claims of tries: callbacks, which prove that the carrier took them, and
// failures after it did; and what was done while the claim store was away.
#pragma once

#include <chrono>
#include <optional>

#include "common/base/result.h"
#include "common/delivery/pipeline.h"
#include "common/delivery/recent.h"
#include "common/domain/settlement.h"
#include "common/domain/topics.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/record_history.h"
#include "common/ports/record_log.h"

namespace tocsin {

// A callback whose URL is older than this is told by the audit and changes nothing here: what is
// known of its try is gone by then.
constexpr std::chrono::hours kCallbackLife{30 * 24};

// Takes records of the webhooks and the events topic, of one channel. Safe to call from several
// threads. The parts it is given must outlive it.
class CallbackDesk {
 public:
  struct Parts {
    const Clock& clock;
    Claims& claims;
    RecordLog& log;
    RecordHistory& history;
    const Topics& topics;
  };

  CallbackDesk(v1::Channel channel, Parts parts, RetryPolicy retry)
      : channel_(channel), parts_(parts), retry_(std::move(retry)) {}

  // False for an event that Take() would pass over: most of them. Never blocks.
  bool Wants(const IncomingRecord& record) const;

  // Brings the record to where its offset may be stored. What is no callback of a try of this
  // channel is passed over. Blocks, two store time-outs, a reading of the log and the delivery
  // time-out at most. An error means that a neighbour did not answer: the same record is to be
  // given again.
  Result<Passage> Take(const IncomingRecord& record);

  // Publishes what follows from what a callback tells, a next try or a dead letter, with key and
  // trace of `record`. Blocks and fails as Take() does.
  Status TryAgain(const IncomingRecord& record, const v1::WebhookRecord& callback);

 private:
  Result<Passage> Learn(const IncomingRecord& record);
  bool Concerns(const v1::WebhookRecord& callback) const;
  bool IsEmergency(const v1::WebhookRecord& callback) const;
  Result<std::optional<v1::WorkRecord>> WorkOf(const v1::WebhookRecord& callback);

  const v1::Channel channel_;
  const Parts parts_;
  const RetryPolicy retry_;
  Recent<bool> hurried_{1000};  // records whose next try was published while the store was away
};

}  // namespace tocsin
