// Making Tocsin's topics, and looking at what a cluster has.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/domain/topics.h"
#include "common/kafka/settings.h"

namespace tocsin::kafka {

// Used by one thread, at start. Every call blocks, its `limit` at most (creating: twice that), and
// fails with kKafkaUnavailable when the cluster does not answer.
class Admin {
 public:
  // Fails with kInvalidConfig. Does not connect.
  static Result<Admin> Create(const KafkaSettings& settings, Hooks hooks = {});
  Admin(Admin&&) noexcept;
  Admin& operator=(Admin&&) noexcept;
  ~Admin();

  // Makes the topics that do not exist, with the settings' replication, and waits until every
  // partition of all of them has a leader. Topics that exist stay as they are; one with another
  // count of partitions fails with kInvalidConfig, naming it: keys would no longer be where others
  // look for them.
  Status EnsureTopics(const std::vector<TopicSpec>& topics, std::chrono::milliseconds limit);

  // The count of partitions; kNotFound when the topic does not exist.
  Result<int> Partitions(const std::string& topic, std::chrono::milliseconds limit);

  // The cluster's id: another one means another log, and positions that mean nothing there.
  Result<std::string> ClusterId(std::chrono::milliseconds limit);

 private:
  struct Impl;
  explicit Admin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::kafka
