// Acceptances after the store lost its data. A2, A3, R6
#include "services/ingress/acceptance/acceptance_restoration.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <optional>

#include "services/ingress/acceptance/acceptance.h"
#include "services/ingress/actions/alert_actions.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_history.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"

namespace tocsin::ingress {
namespace {

constexpr std::chrono::seconds kPatience{10};

v1::EnqueueRequest ARequest(const std::string& key, const std::string& text) {
  v1::EnqueueRequest request;
  request.set_to("+15145550123");
  request.set_text(text);
  request.set_idempotency_key(key);
  return request;
}

class AcceptanceRestorationTest : public testing::Test {
 protected:
  Result<v1::EnqueueResponse> Enqueue(const v1::EnqueueRequest& request) {
    std::optional<Result<v1::EnqueueResponse>> response;
    acceptance.Enqueue("demo", request, "",
                       [&](Result<v1::EnqueueResponse> result) { response = std::move(result); });
    return *std::move(response);
  }
  Result<v1::CancelResponse> Cancel(const std::string& alert_id) {
    v1::CancelRequest request;
    request.set_alert_id(alert_id);
    std::promise<Result<v1::CancelResponse>> response;
    actions.Cancel("demo", request, "", [&](Result<v1::CancelResponse> result) {
      response.set_value(std::move(result));
    });
    return response.get_future().get();
  }
  // What was published so far can be read.
  void CopyLogToHistory() {
    history.records.clear();
    for (const OutgoingRecord& record : log.Records()) {
      IncomingRecord& read = history.records.emplace_back();
      read.position.set_topic(record.topic);
      read.value = record.value;
      read.headers = record.headers;
      read.append_time = clock.Now();
    }
  }
  // The store loses its data; what was published can be read.
  void LoseData() {
    CopyLogToHistory();
    admissions.StartRestoring();
  }
  AcceptanceRestorationObserver Observer() {
    return {.restored = [this](std::size_t count) { restored += static_cast<int>(count) + 1; },
            .failed = [this](const Error&) { ++failures; },
            .completeness =
                [this](bool known) {
                  complete = known;
                  if (!known) ++losses;
                }};
  }
  static bool WaitUntil(const std::function<bool()>& condition) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return condition();
  }
  bool WaitUntilRestored() {
    return WaitUntil([this] { return restored > 0; });
  }

  ManualClock clock;
  RegistrySource registry{Built(TestRegistry())};
  FakeAdmissions admissions;
  FakeVault vault;
  FakeRecordLog log;
  FakeRecordHistory history;
  Topics topics;
  std::function<void(WallTime)> on_not_stored = [](WallTime) {};
  Acceptance acceptance{{clock, registry, admissions, vault, log, topics,
                         [this](WallTime time) { on_not_stored(time); }},
                        {}};
  LogStartCheck start_check{history};
  AlertActions actions{{clock, registry, admissions, vault, log, topics, start_check}};
  std::atomic<int> restored{0};
  std::atomic<int> failures{0};
  std::atomic<bool> complete{false};
  std::atomic<int> losses{0};
};

TEST_F(AcceptanceRestorationTest, CancelsAnAlertThatTheStoreHadLost) {  // A2
  const auto accepted = Enqueue(ARequest("k1", "Boiler 3 is too hot"));
  ASSERT_TRUE(accepted);
  LoseData();
  const auto early = Cancel(accepted->alert_id());
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::kRedisUnavailable);
  const AcceptanceRestoration restoration({clock, admissions, history, topics}, Micros(0),
                                          Observer());
  ASSERT_TRUE(WaitUntilRestored());
  const auto cancelled = Cancel(accepted->alert_id());
  ASSERT_TRUE(cancelled) << cancelled.error().message;
  EXPECT_EQ(cancelled->outcome(), v1::CANCEL_OUTCOME_CANCELLED);
}

TEST_F(AcceptanceRestorationTest, RestoresNothingOfAnAlertWithoutAKey) {
  ASSERT_TRUE(Enqueue(ARequest("", "Boiler 3 is too hot")));
  LoseData();
  const AcceptanceRestoration restoration({clock, admissions, history, topics}, Micros(0),
                                          Observer());
  ASSERT_TRUE(WaitUntilRestored());
  EXPECT_EQ(restored, 1);  // one restoration of no acceptances
}

TEST_F(AcceptanceRestorationTest, ReportsAConflictForAKeyThatTheStoreHadLost) {  // A3
  const auto accepted = Enqueue(ARequest("k1", "Boiler 3 is too hot"));
  ASSERT_TRUE(accepted);
  LoseData();
  EXPECT_EQ(Enqueue(ARequest("k1", "Boiler 4 is too hot")).error().code,
            ErrorCode::kRedisUnavailable);
  const AcceptanceRestoration restoration({clock, admissions, history, topics}, Micros(0),
                                          Observer());
  ASSERT_TRUE(WaitUntilRestored());
  const auto conflict = Enqueue(ARequest("k1", "Boiler 4 is too hot"));
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().code, ErrorCode::kIdempotencyConflict);
  EXPECT_EQ(conflict.error().subject, accepted->alert_id());
  const auto replay = Enqueue(ARequest("k1", "Boiler 3 is too hot"));
  ASSERT_TRUE(replay);
  EXPECT_TRUE(replay->replayed());
  EXPECT_EQ(replay->consistency_token(), accepted->consistency_token());
}

TEST_F(AcceptanceRestorationTest, RestoresAgainAfterEachLoss) {
  AcceptanceRestoration restoration({clock, admissions, history, topics}, Micros(0), Observer());
  for (int i = 0; i < 3; ++i) {
    const auto accepted = Enqueue(ARequest("k" + std::to_string(i), "Boiler 3 is too hot"));
    ASSERT_TRUE(accepted);
    LoseData();
    restoration.NotifyDataLoss();
    ASSERT_TRUE(WaitUntil([this] { return admissions.AdoptEpoch()->restored; }));
    EXPECT_TRUE(Cancel(accepted->alert_id()));
  }
}

TEST_F(AcceptanceRestorationTest, RestoresNothingFromEmptyLanesAtOnce) {
  admissions.StartRestoring();
  const SteadyTime start = std::chrono::steady_clock::now();
  const AcceptanceRestoration restoration({clock, admissions, history, topics},
                                          std::chrono::hours(1), Observer());
  ASSERT_TRUE(WaitUntilRestored());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  EXPECT_TRUE(Enqueue(ARequest("k1", "Boiler 3 is too hot")));
}

TEST_F(AcceptanceRestorationTest, RetriesWhileTheStoreIsDown) {
  const auto accepted = Enqueue(ARequest("k1", "Boiler 3 is too hot"));
  LoseData();
  admissions.SetDown(true);
  const AcceptanceRestoration restoration({clock, admissions, history, topics}, Micros(0),
                                          Observer());
  ASSERT_TRUE(WaitUntil([this] { return failures > 0; }));
  admissions.SetDown(false);
  ASSERT_TRUE(WaitUntilRestored());
  EXPECT_TRUE(Cancel(accepted->alert_id()));
}

// A slow store is restored too, however long the lanes are.
TEST_F(AcceptanceRestorationTest, RepeatsAFailedBatchWithoutReadingTheLanesAgain) {
  const auto accepted = Enqueue(ARequest("k1", "Boiler 3 is too hot"));
  LoseData();
  admissions.failing_batches = 3;
  const AcceptanceRestoration restoration({clock, admissions, history, topics}, Micros(0),
                                          Observer());
  ASSERT_TRUE(WaitUntilRestored());
  EXPECT_EQ(admissions.adoptions, 1) << "it began again";
  EXPECT_EQ(failures, 3);
  EXPECT_TRUE(Cancel(accepted->alert_id()));
}

TEST_F(AcceptanceRestorationTest, RestoresWhatWasAcceptedWithoutTheStore) {  // A2, R6
  AcceptanceRestoration restoration({clock, admissions, history, topics}, Micros(0), Observer());
  std::vector<WallTime> not_stored;
  on_not_stored = [&](WallTime time) { not_stored.push_back(time); };
  admissions.SetDown(true);
  v1::EnqueueRequest emergency = ARequest("k1", "Boiler 3 is too hot");
  emergency.set_priority(v1::PRIORITY_EMERGENCY);
  const auto accepted = Enqueue(emergency);
  ASSERT_TRUE(accepted);
  ASSERT_EQ(not_stored.size(), 1u);
  CopyLogToHistory();
  admissions.SetDown(false);
  restoration.NotifyNotStored(not_stored.front());
  ASSERT_TRUE(WaitUntil([&] { return Cancel(accepted->alert_id()).has_value(); }));
  EXPECT_EQ(Enqueue(ARequest("k1", "Boiler 4 is too hot")).error().code,
            ErrorCode::kIdempotencyConflict);
}

// Until the new epoch is adopted all requests fail.
TEST_F(AcceptanceRestorationTest, AdoptsTheEpochOfAnotherLossWhileItWaitsForRecordsInFlight) {
  ASSERT_TRUE(Enqueue(ARequest("k1", "Boiler 3 is too hot")));
  LoseData();
  AcceptanceRestoration restoration({clock, admissions, history, topics}, std::chrono::hours(1),
                                    Observer());
  ASSERT_TRUE(WaitUntil([this] { return admissions.adoptions > 0; }));
  const int adoptions = admissions.adoptions;
  restoration.NotifyDataLoss();
  EXPECT_TRUE(WaitUntil([&] { return admissions.adoptions > adoptions; }));
}

TEST_F(AcceptanceRestorationTest, IsCompleteAtStartIfAnotherProcessHasRestored) {  // A3
  const AcceptanceRestoration restoration({clock, admissions, history, topics}, Micros(0),
                                          Observer());
  EXPECT_TRUE(WaitUntil([this] { return complete.load(); }));
  EXPECT_EQ(losses, 0);
}

TEST_F(AcceptanceRestorationTest, IsIncompleteFromALossUntilItIsRestored) {  // A3
  AcceptanceRestoration restoration({clock, admissions, history, topics}, Micros(0), Observer());
  ASSERT_TRUE(WaitUntil([this] { return complete.load(); }));
  LoseData();
  restoration.NotifyDataLoss();
  EXPECT_TRUE(WaitUntil([this] { return losses > 0 && complete; }));
}

TEST_F(AcceptanceRestorationTest, StopsWhileItWaitsForRecordsInFlight) {
  ASSERT_TRUE(Enqueue(ARequest("k1", "Boiler 3 is too hot")));
  LoseData();
  const SteadyTime start = std::chrono::steady_clock::now();
  {
    const AcceptanceRestoration restoration({clock, admissions, history, topics},
                                            std::chrono::hours(1), Observer());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, kPatience);
  EXPECT_EQ(restored, 0);
  EXPECT_FALSE(admissions.AdoptEpoch()->restored);
}

}  // namespace
}  // namespace tocsin::ingress
