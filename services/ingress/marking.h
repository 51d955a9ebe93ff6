// Cancels and acknowledges alerts: mark, say so, answer. Nothing blocks; no thread waits for a
// call.
#pragma once

#include <functional>
#include <string>

#include "common/base/result.h"
#include "common/domain/topics.h"
#include "common/ports/admissions.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "tocsin/v1/alert_service.pb.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::ingress {

constexpr size_t kMaxAcknowledgedBy = 64;  // bytes

// Which won, as far as the outcomes of its tries tell (pure). Once a POST has begun the cancel is
// too late, unless Twilio refused it for good; ALREADY_ENDED is said only where that is certain.
v1::CancelResponse::Outcome OutcomeOf(const Marked& marked);

// The store decides races with the workers: after its answer no further try begins. Answers exactly
// once, after the event is on disk, within the store's and the log's time-outs, on a thread of
// theirs or on the caller's. kNotFound: this client has no such alert. kKafkaUnavailable,
// kOutcomeUnknown: the mark stands and its event does not yet; the same call again is safe. Safe to
// call from several threads; the parts must outlive every answer.
class Marking {
 public:
  struct Parts {
    const Clock& clock;
    Admissions& admissions;
    RecordLog& log;
    const Topics& topics;
  };

  explicit Marking(Parts parts) : parts_(parts) {}

  void Cancel(const std::string& client_id, const v1::CancelRequest& request,
              const std::string& traceparent,
              std::function<void(Result<v1::CancelResponse>)> answer);

  void Acknowledge(const std::string& client_id, const v1::AcknowledgeRequest& request,
                   const std::string& traceparent,
                   std::function<void(Result<v1::AcknowledgeResponse>)> answer);

 private:
  void Publish(const v1::Event& event, const std::string& traceparent,
               std::function<void(Status)> answer);

  const Parts parts_;
};

}  // namespace tocsin::ingress
