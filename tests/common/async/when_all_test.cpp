#include "common/async/when_all.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/async/callback.h"
#include "common/async/task_group.h"

namespace tocsin {
namespace {

class WhenAllTest : public testing::Test {
 protected:
  // Waits until done[number] is called.
  Task<void> Waiting(std::size_t number) {
    const auto kept = shared;  // destroyed with the task
    const auto start = [&](Callback<bool> callback) { done[number].emplace(std::move(callback)); };
    co_await AwaitCallback<bool>(start);
    ++ended;
  }
  Task<void> Ready() {
    ++ended;
    co_return;
  }
  Task<void> All(std::vector<Task<void>> tasks) {
    co_await WhenAll(std::move(tasks));
    all_ended = true;
  }
  template <typename... Tasks>
  static std::vector<Task<void>> ListOf(Tasks... tasks) {
    std::vector<Task<void>> list;
    (list.push_back(std::move(tasks)), ...);
    return list;
  }

  std::optional<Callback<bool>> done[2];
  int ended = 0;
  bool all_ended = false;
  const std::shared_ptr<int> shared = std::make_shared<int>(0);
  TaskGroup group;
};

TEST_F(WhenAllTest, EndsAtOnceWithoutTasksOrWithTasksThatDoNotWait) {
  group.Start(All({}));
  EXPECT_TRUE(std::exchange(all_ended, false));
  group.Start(All(ListOf(Ready(), Ready())));
  EXPECT_TRUE(all_ended);
  EXPECT_EQ(ended, 2);
}

TEST_F(WhenAllTest, EndsAfterTheLastTaskInAnyOrder) {
  for (const std::size_t first : {0, 1}) {
    all_ended = false;
    group.Start(All(ListOf(Waiting(0), Ready(), Waiting(1))));
    ASSERT_TRUE(done[0] && done[1]) << "both have started";
    (*done[first])(true);
    EXPECT_FALSE(all_ended);
    (*done[1 - first])(true);
    EXPECT_TRUE(all_ended);
    EXPECT_EQ(group.Size(), 0u);
  }
}

TEST_F(WhenAllTest, ItsDestructorEndsTheTasksThatWait) {
  group.Start(All(ListOf(Waiting(0), Waiting(1))));
  EXPECT_GT(shared.use_count(), 1);
  (*done[0])(true);
  group.Clear();
  EXPECT_EQ(shared.use_count(), 1);
  (*done[1])(true);
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(all_ended);
}

}  // namespace
}  // namespace tocsin
