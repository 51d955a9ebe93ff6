#include "services/audit/rpc/projection_waiter.h"

#include <gtest/gtest.h>

#include <future>

#include "services/audit/projection/projection.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/record_builder.h"

namespace tocsin::audit {
namespace {

class ProjectionWaiterTest : public testing::Test {
 protected:
  void SetUp() override { ClearTables(AuditDatabase()); }

  RecordBuilder build;
  ProjectionWaiter waiter{AuditDatabase(), "cluster"};
  std::promise<Status> result;
  const ProjectionWaiter::Callback callback = [this](const Status& visible) {
    result.set_value(visible);
  };
};

// A2
TEST_F(ProjectionWaiterTest, EndsAWaitForARecordThatAnotherReplicaProjects) {
  const IncomingRecord record = build.Accepted(AlertIdOf(1));
  waiter.Wait({record.position.topic(), 0}, 0,
              std::chrono::steady_clock::now() + std::chrono::seconds(30), callback);
  Projection projection(AuditDatabase(), "cluster", ProjectedTopics(Topics()));
  ASSERT_TRUE(projection.Apply(std::vector{record}));  // does not notify the waiter
  EXPECT_TRUE(result.get_future().get());
}

TEST_F(ProjectionWaiterTest, CallsBackAtOnceForARecordThatThisProcessProjected) {
  waiter.Advance({{{"topic", 0}, 5}});
  waiter.Wait({"topic", 0}, 4, SteadyTime(), callback);
  EXPECT_TRUE(result.get_future().get());
}

TEST_F(ProjectionWaiterTest, ARecordWhoseCommitPostgresLostIsNotProjected) {
  const PartitionKey partition{build.topics.Events(), 0};
  waiter.Advance({{partition, 5}});  // not in the table
  std::promise<Status> polled;
  waiter.Wait(partition, 7, std::chrono::steady_clock::now(),
              [&](const Status& visible) { polled.set_value(visible); });
  EXPECT_FALSE(polled.get_future().get());
  waiter.Wait(partition, 4, std::chrono::steady_clock::now(), callback);
  EXPECT_FALSE(result.get_future().get());
}

TEST_F(ProjectionWaiterTest, FailsAtTheDeadline) {
  waiter.Wait({build.topics.Events(), 0}, 0, std::chrono::steady_clock::now(), callback);
  const Status late = result.get_future().get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kOverloaded);
}

TEST_F(ProjectionWaiterTest, FailsDuringShutdown) {
  waiter.Wait({build.topics.Events(), 0}, 0,
              std::chrono::steady_clock::now() + std::chrono::seconds(30), callback);
  waiter.Close();
  EXPECT_EQ(result.get_future().get().error().code, ErrorCode::kShuttingDown);
}

}  // namespace
}  // namespace tocsin::audit
