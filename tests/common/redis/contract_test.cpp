// The contract suites on the Redis that TOCSIN_REDIS_URL names.
#include <cstdlib>
#include <stdexcept>

#include "common/base/encoding.h"
#include "common/redis/admission_queue.h"
#include "common/redis/claim_store.h"
#include "common/redis/gcra_pacer.h"
#include "common/redis/open_try_store.h"
#include "common/redis/server.h"
#include "tests/common/ports/admissions_contract.h"
#include "tests/common/ports/claims_contract.h"
#include "tests/common/ports/open_tries_contract.h"
#include "tests/common/ports/pacer_contract.h"

namespace tocsin::redis {
namespace {

// Of this test alone: a prefix of its own keeps it apart from whatever else uses the server.
Settings TestSettings() {
  const char* url = std::getenv("TOCSIN_REDIS_URL");
  if (url == nullptr) throw std::runtime_error("TOCSIN_REDIS_URL must name a Redis for this test");
  auto settings = ParseUrl(url);
  if (!settings) throw std::runtime_error(settings.error().message);
  settings->prefix = "test-" + HexEncode(RandomBytes(8));
  return *settings;
}

class RealWorld {
 public:
  Claims& claims() { return claims_; }
  OpenTries& open_tries() { return open_tries_; }
  Pacer& pacer() { return pacer_; }
  // One thread: between two the order of a confirmation and the next admission would be open.
  Admissions& admissions() {
    if (!admissions_) admissions_.emplace(server_, 1u);
    return *admissions_;
  }
  WallTime Now() const { return SystemClock().Now(); }

  void Mark(const std::string& alert_id, const std::string& reason) {
    Tell({"HSET", server_.keys().Alert(alert_id),
          reason == "CANCELLED" ? "cancelled" : "acknowledged", "1"});
  }
  void Taken(const std::string& alert_id) {
    ClaimRequest request;
    request.name.set_alert_id(alert_id);
    request.client_id = "client";
    request.lease = std::chrono::seconds(35);
    request.not_after = Now() + std::chrono::hours(1);
    EXPECT_TRUE(claims_.Take(request));
  }
  // As a FLUSHALL does for this prefix.
  void LoseMemory() { Tell({"DEL", server_.keys().Epoch()}); }

  // Redis's clock cannot be moved: asks until it is over.
  void Pass(Micros, const std::function<bool()>& over) {
    const SteadyTime limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!over()) ASSERT_LT(std::chrono::steady_clock::now(), limit);
  }

 private:
  void Tell(std::initializer_list<std::string_view> words) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    auto connection = Connection::Open(server_.settings(), deadline);
    ASSERT_TRUE(connection) << connection.error().message;
    ASSERT_TRUE(connection->Ask(words, deadline));
  }

  Server server_{TestSettings()};
  ClaimStore claims_{server_};
  OpenTryStore open_tries_{server_};
  GcraPacer pacer_{server_};
  std::optional<AdmissionQueue> admissions_;
};

}  // namespace
}  // namespace tocsin::redis

namespace tocsin {
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, ClaimsContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, OpenTriesContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, PacerContract, redis::RealWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, AdmissionsContract, redis::RealWorld);
}  // namespace tocsin
