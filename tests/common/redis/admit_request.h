// Requests to admit alerts, for tests on real Redis.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "common/ports/clock.h"
#include "common/redis/acceptance_store_restorer.h"

namespace tocsin::redis {

inline AdmitRequest ARequest(const std::string& key = RandomBytes(32)) {
  return {.alert_id = MakeUuidV5(RandomBytes(16)),
          .client_id = "client",
          .idempotency_digest = key,
          .request_digest = std::string(32, 'r'),
          .nonce = RandomBytes(16),
          .create_time = SystemClock().Now(),
          .expire_time = SystemClock().Now() + std::chrono::hours(1)};
}

// Without this, admissions are refused.
inline void MarkRestored(Server& server) {
  AcceptanceStoreRestorer restorer(server);
  const auto epoch = restorer.AdoptEpoch();
  ASSERT_TRUE(epoch) << epoch.error().message;
  ASSERT_TRUE(restorer.MarkRestored(*epoch));
}

}  // namespace tocsin::redis
