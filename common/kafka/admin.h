// Creates Tocsin's topics and checks existing ones.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/kafka/settings.h"
#include "common/ports/topics.h"

namespace tocsin::kafka {

// Safe to use from several threads. All functions fail with kKafkaUnavailable when the cluster does
// not respond.
class Admin {
 public:
  // Fails with kInvalidConfig. Does not connect.
  static Result<Admin> Create(const KafkaSettings& settings, Hooks hooks = {});
  Admin(Admin&&) noexcept;
  Admin& operator=(Admin&&) noexcept;
  ~Admin();

  // Creates missing topics, and waits until each partition of all `topics` has a leader. Existing
  // topics are not modified; one with another number of partitions fails with kInvalidConfig,
  // naming it: records would not be in the partition that PartitionFor() returns. Blocks, for twice
  // `timeout` at most.
  Status EnsureTopics(const std::vector<TopicSpec>& topics, std::chrono::milliseconds timeout);

  // Identifies the cluster, and so its offsets: they mean nothing in another one. Blocks, for
  // `timeout` at most.
  Result<std::string> ClusterId(std::chrono::milliseconds timeout);

 private:
  struct Impl;
  explicit Admin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::kafka
