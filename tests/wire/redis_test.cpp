// What the version before wrote to Redis keeps its meaning. O7
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "common/domain/alert/ids.h"
#include "common/ports/clock.h"
#include "common/redis/acceptance_store_restorer.h"
#include "common/redis/admission_queue.h"
#include "common/redis/claim_store_restorer.h"
#include "services/ingress/acceptance/request.h"
#include "tests/common/redis/blocking_claims.h"
#include "tests/common/redis/private_redis.h"
#include "tests/wire/recorded.h"

namespace tocsin::wire {
namespace {

constexpr std::chrono::seconds kPatience{20};

// A server with the recorded values. The restorers have run, as after each start of Redis.
class RedisTest : public testing::Test {
 protected:
  RedisTest() {
    for (const auto& [key, value] : recorded.redis) redis.Execute({"RESTORE", key, "0", value});
    redis::AcceptanceStoreRestorer acceptances(server);
    redis::ClaimStoreRestorer claims(server);
    const auto epoch = acceptances.AdoptEpoch();
    EXPECT_TRUE(acceptances.MarkRestored(*epoch));
    EXPECT_TRUE(claims.MarkRestored(*epoch));
  }

  redis::Settings TheSettings() const {
    redis::Settings settings = redis.ServerSettings();
    settings.prefix = "tocsin";
    return settings;
  }

  template <typename T, typename Send>
  Result<T> Wait(const Send& send) {
    auto done = std::make_shared<std::promise<Result<T>>>();
    auto result = done->get_future();
    send([done](Result<T> value) { done->set_value(std::move(value)); });
    EXPECT_EQ(result.wait_for(kPatience), std::future_status::ready);
    return result.get();
  }

  ClaimRequest AClaim() const {
    ClaimRequest request;
    request.client_id = recorded.client_id;
    request.owner = "test";
    request.lease = std::chrono::seconds(35);
    request.work = "work";
    request.expire_time = expires;
    return request;
  }

  const Recorded& recorded = ReadRecorded();
  crypto::KeyringVault vault = recorded.Vault();
  redis::PrivateRedis redis;
  redis::Server server{TheSettings()};
  redis::AdmissionQueue queue{server};
  WallTime expires = SystemClock().Now() + std::chrono::hours(1);
};

TEST_F(RedisTest, ARepeatedRequestGetsTheRecordedAlert) {
  size_t keyed = 0;
  for (const RecordedAlert& alert : recorded.alerts) {
    const v1::EnqueueRequest& request = alert.request;
    if (request.idempotency_key().empty()) continue;
    ++keyed;
    const AdmitRequest repeated{
        .alert_id = "01990000-aaaa-7bbb-8ccc-dddddddddddd",
        .client_id = recorded.client_id,
        .idempotency_digest = IdempotencyDigest(recorded.client_id, request.idempotency_key()),
        .request_digest = vault.DigestRequest(
            ingress::CanonicalForm(request, *ingress::Normalize(request)).Reveal()),
        .nonce = std::string(16, 'n'),
        .create_time = SystemClock().Now(),
        .expire_time = expires};
    const auto admission =
        Wait<Admission>([&](auto done) { queue.Admit(repeated, std::move(done)); });
    ASSERT_TRUE(admission) << admission.error().message;
    EXPECT_EQ(admission->state, Admission::State::kReplay) << request.idempotency_key();
    EXPECT_EQ(admission->alert_id, alert.alert_id);
    EXPECT_FALSE(admission->position.topic().empty());
  }
  EXPECT_GE(keyed, 5U);
}

TEST_F(RedisTest, AFinishedAttemptIsNotMadeAgain) {
  redis::BlockingClaims claims(server);
  size_t sent = 0;
  for (const RecordedAlert& alert : recorded.alerts)
    for (const v1::Attempt& attempt : alert.alert.attempts()) {
      if (attempt.provider_sid().empty()) continue;
      ++sent;
      ClaimRequest request = AClaim();
      request.attempt.set_alert_id(alert.alert_id);
      request.attempt.set_step(attempt.step());
      request.attempt.set_attempt(attempt.attempt());
      const auto claim = claims.Claim(request);
      ASSERT_TRUE(claim) << claim.error().message;
      EXPECT_EQ(claim->state, ClaimReply::State::kDone) << alert.alert.ShortDebugString();
      ASSERT_TRUE(claim->result);
      EXPECT_EQ(claim->result->provider_sid(), attempt.provider_sid());
    }
  EXPECT_GE(sent, 7U);
}

TEST_F(RedisTest, AMarkKeepsItsTimeAndItsActor) {
  size_t marked = 0;
  for (const RecordedAlert& alert : recorded.alerts) {
    const std::string& key = alert.request.idempotency_key();
    if (key != "cancelled" && key != "acknowledged") continue;
    ++marked;
    const MarkRequest request{.alert_id = alert.alert_id,
                              .client_id = recorded.client_id,
                              .mark = key == "cancelled" ? MarkRequest::Mark::kCancelled
                                                         : MarkRequest::Mark::kAcknowledged,
                              .time = SystemClock().Now()};
    const auto result = Wait<MarkResult>([&](auto done) { queue.Mark(request, std::move(done)); });
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_FALSE(result->newly_marked);
    EXPECT_LT(result->time, request.time);
    EXPECT_EQ(result->actor_id, key == "cancelled" ? "" : "nurse 7");
  }
  EXPECT_EQ(marked, 2U);
}

TEST_F(RedisTest, AScheduledAlertCanBeCancelled) {
  for (const RecordedAlert& alert : recorded.alerts) {
    if (alert.request.idempotency_key() != "scheduled") continue;
    const auto result = Wait<MarkResult>([&](auto done) {
      queue.Mark({.alert_id = alert.alert_id,
                  .client_id = recorded.client_id,
                  .mark = MarkRequest::Mark::kCancelled,
                  .time = SystemClock().Now()},
                 std::move(done));
    });
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(result->newly_marked);
    redis::BlockingClaims claims(server);
    ClaimRequest request = AClaim();
    request.attempt.set_alert_id(alert.alert_id);
    const auto claim = claims.Claim(request);
    ASSERT_TRUE(claim) << claim.error().message;
    EXPECT_EQ(claim->state, ClaimReply::State::kStopped);
    return;
  }
  FAIL() << "no scheduled alert was recorded";
}

}  // namespace
}  // namespace tocsin::wire
