// Processes callbacks and events: callbacks prove that the provider accepted an attempt and may
// cause a retry; events sync the claim store after it was unavailable. Both may end calls that a
// plan does not need any more.
#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/delivery/bounded_cache.h"
#include "common/delivery/delivery_result.h"
#include "common/delivery/follow_up_records.h"
#include "common/delivery/unanswered_calls.h"
#include "common/domain/delivery/follow_up.h"
#include "common/ports/alert_history.h"
#include "common/ports/claims.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/topics.h"

namespace tocsin {

// A callback whose URL is older than this is only recorded by audit: the claim store has deleted
// the attempt by then.
constexpr std::chrono::hours kMaxCallbackAge{30 * 24};

// Handles records of the topics webhooks and events, of one channel. Used on the loop's
// thread. The parts must outlive it; arguments must outlive the task.
class CallbackHandler {
 public:
  struct Parts {
    const Clock& clock;
    Claims& claims;
    RecordLog& log;
    AlertHistory& history;
    const Topics& topics;
    UnansweredCalls* calls = nullptr;  // nullptr: calls are not ended
  };

  CallbackHandler(v1::Channel channel, Parts parts, RetryPolicy retry)
      : channel_(channel), parts_(parts), retry_(retry) {}

  // False for an event that Handle() ignores: most of them. Safe to call on
  // any thread.
  bool Wants(const IncomingRecord& record) const;

  // Handles the record; ignores what is not a callback of an attempt of this channel. When it
  // returns a result, the record's offset may be stored. Takes five store timeouts, a reading
  // of the log and the publish timeout at most. An error means that a dependency failed: the same
  // record must be handled again.
  Task<Result<DeliveryResult>> Handle(const IncomingRecord& record);

  // Publishes what follows if `callback` reports a failure after acceptance: a retry or a dead
  // letter, and the next step of a plan. `stored` is the attempt's result in the store, `work` its
  // work record, `position` the place of that, if known. Takes three store timeouts and the publish
  // timeout at most.
  Task<Status> PublishRetry(const records::v1::WebhookRecord& callback,
                            const records::v1::AttemptResult& stored,
                            const records::v1::WorkRecord& work,
                            const std::optional<records::v1::Position>& position,
                            const RecordOrigin& origin);

 private:
  Task<Result<DeliveryResult>> HandleEvent(const IncomingRecord& record);
  Task<Result<DeliveryResult>> HandleCallback(const IncomingRecord& record);
  bool IsRelevant(const records::v1::WebhookRecord& callback) const;
  bool IsEmergency(const records::v1::WebhookRecord& callback) const;
  Task<Status> EndCalls(const std::string& alert_id);
  Task<Result<records::v1::WebhookRecord>> AsNotedFirst(records::v1::WebhookRecord callback,
                                                        const records::v1::AttemptResult& stored);
  Task<Status> PublishFollowUp(const records::v1::WebhookRecord& callback,
                               const records::v1::WorkRecord& work,
                               const std::optional<records::v1::Position>& position,
                               const RecordOrigin& origin);
  Task<Status> Retry(const records::v1::WebhookRecord& callback, const RecordOrigin& origin);
  Task<Result<std::optional<records::v1::WorkRecord>>> FindWork(
      const records::v1::WebhookRecord& callback);

  const v1::Channel channel_;
  const Parts parts_;
  const RetryPolicy retry_;
  // By position: callbacks whose retry was published while the store was unavailable.
  BoundedCache<bool> retried_early_{10'000};
};

}  // namespace tocsin
