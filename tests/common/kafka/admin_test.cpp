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

TEST_F(AdminTest, NamesATopicWithAnotherCountOfPartitions) {
  Admin admin = MakeAdmin();
  ASSERT_TRUE(admin.EnsureTopics({Spec("lane", 3)}, kAdminLimit));
  const Status again = admin.EnsureTopics({Spec("lane", 4)}, kAdminLimit);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(again.error().field, Name("lane"));
  EXPECT_THAT(again.error().message, HasSubstr("3 partitions, not 4"));
}

TEST_F(AdminTest, SaysWhichTopicTheClusterRefuses) {
  settings_.replication = 99;
  Admin admin = MakeAdmin();
  const Status made = admin.EnsureTopics({Spec("lane", 1)}, kAdminLimit);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().field, Name("lane"));
}

TEST_F(AdminTest, FailsInTimeWhenNobodyAnswers) {
  settings_.bootstrap = "127.0.0.1:1";
  Admin admin = MakeAdmin();
  const Status made = admin.EnsureTopics({Spec("lane", 1)}, milliseconds(200));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kKafkaUnavailable);
  EXPECT_FALSE(admin.ClusterId(milliseconds(200)));
}

TEST_F(AdminTest, LeavesExistingTopicsAndAddsTheMissing) {
  Admin admin = MakeAdmin();
  ASSERT_TRUE(admin.EnsureTopics({Spec("a", 1)}, kAdminLimit));
  ASSERT_TRUE(admin.EnsureTopics({Spec("a", 1), Spec("b", 2)}, kAdminLimit));
  EXPECT_EQ(*admin.Partitions(Name("b"), kAdminLimit), 2);
  const auto missing = admin.Partitions(Name("c"), kAdminLimit);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

TEST_F(AdminTest, MakesEveryTopicOfTocsin) {
  Admin admin = MakeAdmin();
  const Topics topics(settings_.prefix);
  const Status made = admin.EnsureTopics(topics.All(), kAdminLimit);
  EXPECT_TRUE(made) << made.error().message;
}

TEST_F(AdminTest, TellsTheClustersId) {
  Admin admin = MakeAdmin();
  const auto id = admin.ClusterId(kAdminLimit);
  ASSERT_TRUE(id);
  EXPECT_FALSE(id->empty());
}

}  // namespace
}  // namespace tocsin::kafka
