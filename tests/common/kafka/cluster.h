// The real Kafka that integration tests run on: TOCSIN_KAFKA_BOOTSTRAP, as scripts/test sets it.
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

constexpr std::chrono::seconds kAdminLimit{30};

// Every test works under a prefix of its own, so runs do not meet.
class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const bootstrap = std::getenv("TOCSIN_KAFKA_BOOTSTRAP");
    ASSERT_NE(bootstrap, nullptr) << "TOCSIN_KAFKA_BOOTSTRAP names no broker";
    settings_.bootstrap = bootstrap;
    settings_.prefix = "test-" + UniquePart();
  }

  std::string Name(const std::string& name) const { return settings_.prefix + "." + name; }

  std::string CreateTopic(const std::string& name, int partitions, bool compacted = false) {
    auto admin = Admin::Create(settings_);
    EXPECT_TRUE(admin);
    const Status made = admin->EnsureTopics({{.name = Name(name),
                                              .partitions = partitions,
                                              .compacted = compacted,
                                              .retention = std::chrono::hours(24),
                                              .log_append_time = false}},
                                            kAdminLimit);
    EXPECT_TRUE(made) << made.error().message;
    return Name(name);
  }

  // Publishes the numbers `from` … `to` - 1, value and key alike.
  void PublishNumbers(const std::string& topic, int from, int to) {
    if (!producer_) {
      auto producer = Producer::Create(settings_, kWorkerProfile);
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
  static std::string UniquePart() {
    static std::atomic<int> count{0};
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    return std::to_string(now) + "-" + std::to_string(++count);
  }
};

}  // namespace tocsin::kafka
