// The simulated ingress: the production handling of webhooks, cancellations and acknowledgements on
// simulated ports.
#pragma once

#include <functional>
#include <string>

#include "common/base/encoding.h"
#include "common/ports/admissions.h"
#include "common/ports/registry_source.h"
#include "common/ports/work_lookup.h"
#include "services/ingress/actions/alert_actions.h"
#include "services/ingress/webhooks/webhooks.h"
#include "tests/model/ports.h"

namespace tocsin::model {

struct Simulation;

inline constexpr const char* kPublicUrl = "https://alerts.example.com";
inline constexpr const char* kClient = "demo";

// Marks alerts in the simulated claim store. The model publishes acceptances itself, so nothing is
// admitted.
class MarkPort final : public Admissions {
 public:
  MarkPort(Simulation& simulation, Host& host) : simulation_(simulation), host_(host) {}
  void Admit(AdmitRequest request, std::function<void(Result<Admission>)> done) override;
  void Confirm(const std::string& alert_id, const records::v1::Position& position,
               std::function<void()> done) override;
  void Withdraw(const std::string& alert_id, const std::string& idempotency_digest,
                const std::string& nonce) override;
  void Mark(MarkRequest request, std::function<void(Result<MarkResult>)> done) override;
  void FindAckCode(FindAckCodeRequest request,
                   std::function<void(Result<AckCodeMatches>)> done) override;

 private:
  MarkResult Apply(const MarkRequest& request);

  Simulation& simulation_;
  Host& host_;
  int presses_ = 0;  // with the bug kQuorumCountsPresses
};

// Reads the simulated claim store and broker.
class WorkPort final : public WorkLookup {
 public:
  WorkPort(Simulation& simulation, Host& host) : simulation_(simulation), host_(host) {}
  void Find(const v1::AttemptRef& attempt, const records::v1::Position& position,
            std::function<void(Result<records::v1::WorkRecord>)> done) override;

 private:
  Simulation& simulation_;
  Host& host_;
};

// Reads the simulated broker.
class StartPort final : public ingress::StartCheck {
 public:
  StartPort(Simulation& simulation, Host& host) : simulation_(simulation), host_(host) {}
  void Run(const std::string& alert_id, const records::v1::Position& cancellation, WallTime from,
           std::function<void(Result<v1::CancelOutcome>)> done) override;

 private:
  Simulation& simulation_;
  Host& host_;
};

// It does not crash: a crash is a lost response, after which the caller repeats its request.
class Ingress final : public Host {
 public:
  explicit Ingress(Simulation& simulation);

  // A signed request of the provider. `respond` is called once.
  void Post(const std::string& url, const FormFields& fields,
            std::function<void(http::Response)> respond);

  // Requests of the client, repeated a few times until they succeed.
  void Cancel(const std::string& alert_id, int repeats = kMaxRepeats);
  // `person`: of a plan; empty: the actor is the person.
  void Acknowledge(const std::string& alert_id, const std::string& actor,
                   const std::string& person = {}, int repeats = kMaxRepeats);

  // Host.
  Task<void> Sleep(Micros time) override;
  Task<void> MayFail() override { co_return; }
  bool Crashes() override { return false; }
  void Later(Micros delay, std::function<void()> event) override;

 private:
  static constexpr int kMaxRepeats = 3;

  Simulation& simulation_;
  RegistrySource registry_;
  LogPort log_;
  MarkPort marks_;
  WorkPort works_;
  StartPort start_check_;
  ingress::AlertActions alert_actions_;
  ingress::Webhooks webhooks_;
};

}  // namespace tocsin::model
