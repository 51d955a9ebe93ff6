// An Acceptance with fakes for all ports, and requests for it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "services/ingress/acceptance/acceptance.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"
#include "tests/services/ingress/held_log.h"

namespace tocsin::ingress {

using Response = std::optional<Result<v1::EnqueueResponse>>;

inline constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

inline v1::EnqueueRequest ARequest(const std::string& key = {}) {
  v1::EnqueueRequest request;
  request.set_to("+15145550123");
  request.set_text("Boiler 3 is too hot");
  request.set_idempotency_key(key);
  return request;
}

inline v1::EnqueueRequest AnotherRequest(const std::string& key) {
  v1::EnqueueRequest request = ARequest(key);
  request.set_text("Boiler 4 is too hot");
  return request;
}

inline v1::EnqueueRequest AnEmergency(const std::string& key = {}) {
  v1::EnqueueRequest request = ARequest(key);
  request.set_priority(v1::PRIORITY_EMERGENCY);
  return request;
}

class AcceptanceTest : public testing::Test {
 protected:
  Acceptance With(RecordLog& used, AcceptanceSettings settings = {}) {
    return Acceptance({clock, registry, admissions, vault, used, topics}, settings);
  }
  static Result<v1::EnqueueResponse> Enqueue(Acceptance& used, const v1::EnqueueRequest& request) {
    std::optional<Result<v1::EnqueueResponse>> response;
    used.Enqueue("demo", request, kTrace,
                 [&](Result<v1::EnqueueResponse> result) { response = std::move(result); });
    if (!response) return Fail(ErrorCode::kInternal, "no response yet");
    return *std::move(response);
  }
  Result<v1::EnqueueResponse> Enqueue(const v1::EnqueueRequest& request) {
    return Enqueue(acceptance, request);
  }
  // Keeps the response in `response`, whenever it comes.
  static void Start(Acceptance& used, const v1::EnqueueRequest& request,
                    std::optional<Result<v1::EnqueueResponse>>& response) {
    used.Enqueue("demo", request, kTrace,
                 [&response](Result<v1::EnqueueResponse> result) { response = std::move(result); });
  }
  std::vector<records::v1::WorkRecord> Normal() const {
    return log.On<records::v1::WorkRecord>(topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_NORMAL));
  }

  ManualClock clock;
  RegistrySource registry{Built(TestRegistry())};
  FakeAdmissions admissions;
  FakeVault vault;
  FakeRecordLog log;
  Topics topics;
  Acceptance acceptance = With(log);
};

#define EXPECT_REFUSED(response, expected) \
  ASSERT_FALSE(response);                  \
  EXPECT_EQ(TraitsOf((response).error().code).name, TraitsOf(expected).name)

}  // namespace tocsin::ingress
