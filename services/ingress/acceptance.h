// Takes alerts in: check, admit, seal, publish, answer. Nothing blocks; no thread waits for a call.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/domain/topics.h"
#include "common/ports/admissions.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/registry_source.h"
#include "common/ports/vault.h"
#include "services/ingress/request.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::ingress {

struct AcceptanceSettings {
  size_t max_in_flight = 20'000;  // alerts between call and answer
  std::uint32_t attempts = 5;     // tries of a step that use the budget
};

// Safe to call from several threads. The parts must outlive every answer: drain before they go.
class Acceptance {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    Admissions& admissions;
    Vault& vault;
    RecordLog& log;
    const Topics& topics;
  };
  using Answer = std::function<void(Result<v1::EnqueueResponse>)>;

  Acceptance(Parts parts, AcceptanceSettings settings);

  // Answers exactly once, within the store's and the log's time-outs, on a thread of theirs or on
  // the caller's. An accepted alert is on disk. kKafkaUnavailable: certainly not taken.
  // kOutcomeUnknown: perhaps taken; the same call again is safe, for it has a key.
  // kOutcomeUnknownUnkeyed: perhaps taken, and a second call could be a second alert.
  void Enqueue(const std::string& client_id, const v1::EnqueueRequest& request,
               const std::string& traceparent, Answer answer);

  size_t InFlight() const { return in_flight_.load(); }

 private:
  struct Call;

  void RefuseUnlessKnown(const std::string& client_id, const v1::EnqueueRequest& request,
                         const Error& why, WallTime now, Answer answer);
  void Admitted(const std::shared_ptr<Call>& call, Result<Admission> admission);
  void Publish(const std::shared_ptr<Call>& call);
  void Published(const std::shared_ptr<Call>& call, const PublishReport& report);
  void Finish(Call& call, Result<v1::EnqueueResponse> result);
  Result<v1::WorkRecord> FirstWork(const Call& call);

  const Parts parts_;
  const AcceptanceSettings settings_;
  std::atomic<size_t> in_flight_{0};
};

}  // namespace tocsin::ingress
