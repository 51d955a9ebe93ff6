// The Kafka cluster of integration tests: TOCSIN_KAFKA_BOOTSTRAP, as scripts/test sets it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/kafka/admin.h"
#include "common/kafka/producer.h"
#include "tests/common/kafka/eventually.h"

namespace tocsin::kafka {

constexpr std::chrono::seconds kAdminTimeout{30};

// Each test uses a topic prefix of its own, so that concurrent runs do not interfere.
class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const bootstrap = std::getenv("TOCSIN_KAFKA_BOOTSTRAP");
    ASSERT_NE(bootstrap, nullptr) << "TOCSIN_KAFKA_BOOTSTRAP is not set";
    settings_.bootstrap_servers = bootstrap;
    settings_.prefix = "test-" + UniqueSuffix();
  }

  std::string Name(const std::string& name) const { return settings_.prefix + "." + name; }

  std::string CreateTopic(const std::string& name, int partitions, bool compacted = false) {
    auto admin = Admin::Create(settings_);
    EXPECT_TRUE(admin);
    const Status created = admin->EnsureTopics({{.name = Name(name),
                                                 .partitions = partitions,
                                                 .compacted = compacted,
                                                 .retention = std::chrono::hours(24),
                                                 .log_append_time = false}},
                                               kAdminTimeout);
    EXPECT_TRUE(created) << created.error().message;
    return Name(name);
  }

  // Publishes the numbers `from` … `to` - 1, each as key and value.
  void PublishNumbers(const std::string& topic, int from, int to) {
    if (!producer_) {
      auto producer = Producer::Create(settings_, ProducerProfile{});
      ASSERT_TRUE(producer);
      producer_ = std::move(*producer);
    }
    std::vector<OutgoingRecord> records;
    for (int i = from; i < to; ++i)
      records.push_back(
          {.topic = topic, .key = std::to_string(i), .value = std::to_string(i), .headers = {}});
    const auto published = producer_->PublishAndWait(std::move(records));
    ASSERT_TRUE(published) << published.error().message;
  }

  KafkaSettings settings_;
  std::unique_ptr<Producer> producer_;

 private:
  static std::string UniqueSuffix() {
    static std::atomic<int> count{0};
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    return std::to_string(now) + "-" + std::to_string(++count);
  }
};

}  // namespace tocsin::kafka
