// The contract suites of the ports, on the server in TOCSIN_REDIS_URL.
#include <cstdlib>
#include <stdexcept>

#include "common/async/sync_wait.h"
#include "common/base/encoding.h"
#include "common/redis/acceptance_store_restorer.h"
#include "common/redis/admission_queue.h"
#include "common/redis/claim_store.h"
#include "common/redis/claim_store_restorer.h"
#include "common/redis/gcra_pacer.h"
#include "common/redis/server.h"
#include "common/redis/unreconciled_attempt_store.h"
#include "tests/common/ports/admissions_contract.h"
#include "tests/common/ports/claims_contract.h"
#include "tests/common/ports/marks_contract.h"
#include "tests/common/ports/pacer_contract.h"
#include "tests/common/ports/plan_claims_contract.h"
#include "tests/common/ports/replies_contract.h"
#include "tests/common/ports/resolution_contract.h"
#include "tests/common/ports/restored_admissions_contract.h"
#include "tests/common/ports/unreconciled_attempts_contract.h"

namespace tocsin::redis {
namespace {

// With a random prefix, which separates the test from other users of the server.
Settings TestSettings() {
  const char* url = std::getenv("TOCSIN_REDIS_URL");
  if (url == nullptr) throw std::runtime_error("TOCSIN_REDIS_URL is not set");
  auto settings = ParseUrl(url);
  if (!settings) throw std::runtime_error(settings.error().message);
  settings->prefix = "test-" + HexEncode(RandomBytes(8));
  return *settings;
}

class RealWorld {
 public:
  template <typename T>
  T Wait(Task<T> task) {
    return SyncWait(loop_, std::move(task));
  }
  Claims& claims() { return claims_; }
  UnreconciledAttempts& unreconciled_attempts() { return unreconciled_attempts_; }
  Pacer& pacer() { return pacer_; }
  // With one thread, because requests are executed in order only within a thread.
  Admissions& admissions() {
    if (admissions_) return *admissions_;
    const StoreEpoch epoch = *restorer_.AdoptEpoch();
    EXPECT_TRUE(restorer_.MarkRestored(epoch));
    EXPECT_TRUE(ClaimStoreRestorer(server_).MarkRestored(epoch));
    return admissions_.emplace(server_, 1u);
  }
  AcceptanceRestorer& restorer() { return restorer_; }
  WallTime Now() const { return SystemClock().Now(); }

  void Mark(const std::string& alert_id, const std::string& reason) {
    Execute({"HSET", server_.keys().Alert(alert_id),
             reason == "CANCELLED" ? "cancelled" : "acknowledged", "1"});
  }
  void SetClaimed(const std::string& alert_id) {
    ClaimRequest request;
    request.attempt.set_alert_id(alert_id);
    request.client_id = "client";
    request.lease = std::chrono::seconds(35);
    request.expire_time = Now() + std::chrono::hours(1);
    EXPECT_TRUE(Wait(claims_.Claim(request)));
  }
  void SetAckCode(const std::string& recipient_token, const std::string& alert_id,
                  const std::string& code) {
    ClaimRequest request;
    request.attempt.set_alert_id(alert_id);
    request.attempt.set_step(1);
    request.attempt.set_attempt(1);
    request.client_id = "client";
    request.lease = std::chrono::seconds(35);
    request.expire_time = Now() + std::chrono::hours(1);
    request.ack_code = AckCode{.recipient_token = recipient_token, .code = code};
    EXPECT_TRUE(Wait(claims_.Claim(request)));
  }
  void SetTarget(const ClaimedTarget& target) {
    ClaimRequest request;
    request.attempt.set_alert_id(target.alert_id);
    request.attempt.set_step(target.step);
    request.attempt.set_attempt(1);
    request.client_id = "client";
    request.lease = std::chrono::seconds(35);
    request.work = target.work;
    request.expire_time = Now() + std::chrono::hours(1);
    request.ack_code = AckCode{.recipient_token = target.recipient_token, .code = target.code};
    request.plan = PlanCondition{.goal = v1::REACH_ACKNOWLEDGED,
                                 .person_count = target.person_count,
                                 .person = target.person,
                                 .before = {},
                                 .wait = {}};
    EXPECT_TRUE(Wait(claims_.Claim(request)));
  }
  void SetDelivered(const std::string& alert_id) {
    SetClaimed(alert_id);
    v1::AttemptRef attempt;
    attempt.set_alert_id(alert_id);
    records::v1::AttemptResult result;
    result.set_outcome(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
    result.set_provider_sid("SM" + HexEncode(RandomBytes(16)));
    result.set_resolved_by(v1::RESOLVED_BY_CALLBACK);
    result.set_status(v1::ATTEMPT_STATUS_DELIVERED);
    EXPECT_TRUE(Wait(claims_.SaveResult(attempt, 0, result)));
  }
  // FLUSHALL for this prefix.
  void LoseData() { Execute({"DEL", server_.keys().Epoch()}); }
  // The workers have restored the claims.
  void StartRestoring() {
    LoseData();
    const auto epoch = restorer_.AdoptEpoch();
    ASSERT_TRUE(epoch) << epoch.error().message;
    ASSERT_TRUE(ClaimStoreRestorer(server_).MarkRestored(*epoch));
  }

  // The clock of Redis cannot be set: polls.
  void WaitForLease(Micros, const std::function<bool()>& lapsed) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!lapsed()) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }

 private:
  void Execute(std::initializer_list<std::string_view> words) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    auto connection = Connection::Open(server_.settings(), deadline);
    ASSERT_TRUE(connection) << connection.error().message;
    ASSERT_TRUE(connection->Execute(words, deadline));
  }

  EventLoop loop_;
  Server server_{TestSettings()};
  ScriptClient client_{server_, loop_};
  ClaimStore claims_{client_};
  UnreconciledAttemptStore unreconciled_attempts_{client_};
  GcraPacer pacer_{client_};
  AcceptanceStoreRestorer restorer_{server_};
  std::optional<AdmissionQueue> admissions_;
};

}  // namespace
}  // namespace tocsin::redis

namespace tocsin {
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, ClaimsContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, PlanClaimsContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, ResolutionContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, UnreconciledAttemptsContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, PacerContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, AdmissionsContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, MarksContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, RepliesContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, RestoredAdmissionsContract, redis::RealWorld);
}  // namespace tocsin
