// Accepts alerts: check, admit (with an idempotency key), seal, publish, respond.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/ports/admissions.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/registry_source.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"
#include "services/ingress/acceptance/concurrent_keys.h"
#include "services/ingress/acceptance/first_work.h"
#include "services/ingress/acceptance/in_flight.h"
#include "services/ingress/acceptance/request.h"

namespace tocsin::ingress {

struct AcceptanceSettings {
  size_t max_in_flight = 20'000;  // alerts between request and response; see in_flight.h
  size_t max_bytes_in_flight = kMaxBytesInFlight;
  std::int32_t max_attempts = 5;  // metered attempts of a step
  RequestRules rules = {};
};

// Never blocks. Safe to use from several threads. The parts must outlive every callback: drain
// before they are destroyed.
class Acceptance {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    Admissions& admissions;
    Vault& vault;
    RecordLog& log;
    const Topics& topics;
    // An alert with a key and this create time may be in a lane, and the store does not know it.
    // Never blocks.
    std::function<void(WallTime create_time)> on_not_stored = [](WallTime) {};
  };
  using Done = std::function<void(Result<v1::EnqueueResponse>)>;

  Acceptance(Parts parts, AcceptanceSettings settings);

  // Calls `done` once, within the timeouts of the store and the log, on a thread of theirs or on
  // the caller's. An alert that was accepted is on disk. Fails with kKafkaUnavailable if the alert
  // was certainly not accepted; kOutcomeUnknown if it may have been, by this request or an earlier
  // one with its key, so that it can be repeated; kOutcomeUnknownNoKey if it may have been and a
  // repetition could be a second alert; kOverloaded if there is no room for its priority. Alerts
  // without a key are accepted without the store, with a key only emergencies.
  void Enqueue(const std::string& client_id, const v1::EnqueueRequest& request,
               const std::string& traceparent, Done done);

  size_t InFlight() const { return in_flight_.used(); }

 private:
  struct Pending;

  std::string IssueId(const NewAlert& alert) const;
  void SetKey(const v1::EnqueueRequest& request, NewAlert& alert) const;
  void RespondIfKnown(const std::string& client_id, const v1::EnqueueRequest& request,
                      const Error& refusal, WallTime now, Done done);
  void Admit(const std::shared_ptr<Pending>& pending);
  void OnAdmitted(const std::shared_ptr<Pending>& pending, Result<Admission> admission);
  void Publish(const std::shared_ptr<Pending>& pending);
  void OnPublished(const std::shared_ptr<Pending>& pending, const PublishReport& report);
  void Confirm(const NewAlert& alert, const records::v1::Position& position,
               std::function<void()> done);
  void Refuse(Pending& pending, const Error& error);
  void Finish(Pending& pending, const Result<v1::EnqueueResponse>& result);

  const Parts parts_;
  const AcceptanceSettings settings_;
  InFlightLimit in_flight_;
  InFlightLimit bytes_in_flight_;  // of records without a report
  ConcurrentKeys keys_;
};

}  // namespace tocsin::ingress
