#include "common/kafka/admin.h"

#include <gmock/gmock.h>

#include "tests/common/kafka/cluster.h"

namespace tocsin::kafka {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class AdminTest : public ClusterTest {
 protected:
  Admin MakeAdmin() {
    auto admin = Admin::Create(settings_);
    EXPECT_TRUE(admin);
    return std::move(*admin);
  }
  TopicSpec Spec(const std::string& name, int partitions) const {
    return {.name = Name(name),
            .partitions = partitions,
            .compacted = false,
            .retention = std::chrono::hours(1),
            .log_append_time = false};
  }
};

TEST_F(AdminTest, NamesATopicWithAnotherNumberOfPartitions) {
  Admin admin = MakeAdmin();
  ASSERT_TRUE(admin.EnsureTopics({Spec("lane", 3)}, kAdminTimeout));
  const Status repeated = admin.EnsureTopics({Spec("lane", 4)}, kAdminTimeout);
  ASSERT_FALSE(repeated);
  EXPECT_EQ(repeated.error().code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(repeated.error().field, Name("lane"));
  EXPECT_THAT(repeated.error().message, HasSubstr("3 partitions, not 4"));
}

TEST_F(AdminTest, NamesTheTopicThatTheClusterRefuses) {
  settings_.replication_factor = 99;
  Admin admin = MakeAdmin();
  const Status created = admin.EnsureTopics({Spec("lane", 1)}, kAdminTimeout);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().field, Name("lane"));
}

TEST_F(AdminTest, FailsWithinTheTimeoutWithoutABroker) {
  settings_.bootstrap_servers = "127.0.0.1:1";
  Admin admin = MakeAdmin();
  const Status created = admin.EnsureTopics({Spec("lane", 1)}, milliseconds(200));
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, ErrorCode::kKafkaUnavailable);
  EXPECT_FALSE(admin.ClusterId(milliseconds(200)));
}

TEST_F(AdminTest, CreatesOnlyMissingTopics) {
  Admin admin = MakeAdmin();
  ASSERT_TRUE(admin.EnsureTopics({Spec("a", 1)}, kAdminTimeout));
  ASSERT_TRUE(admin.EnsureTopics({Spec("a", 1), Spec("b", 2)}, kAdminTimeout));
  const Status wrong = admin.EnsureTopics({Spec("a", 1), Spec("b", 3)}, kAdminTimeout);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().field, Name("b"));
  EXPECT_THAT(wrong.error().message, HasSubstr("2 partitions, not 3"));
}

TEST_F(AdminTest, CreatesAllTopicsOfTocsin) {
  Admin admin = MakeAdmin();
  const Topics topics(settings_.prefix);
  const Status created = admin.EnsureTopics(topics.All(), kAdminTimeout);
  EXPECT_TRUE(created) << created.error().message;
}

TEST_F(AdminTest, ReturnsTheClusterId) {
  Admin admin = MakeAdmin();
  const auto id = admin.ClusterId(kAdminTimeout);
  ASSERT_TRUE(id);
  EXPECT_FALSE(id->empty());
}

}  // namespace
}  // namespace tocsin::kafka
