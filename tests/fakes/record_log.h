// RecordLog in memory: records what was published, and can fail.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/record_log.h"

namespace tocsin {

// Reports on the caller's thread. Safe to use from several threads.
class FakeRecordLog final : public RecordLog {
 public:
  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override {
    if (before_publish_) before_publish_();
    PublishReport result;
    {
      const std::lock_guard lock(mutex_);
      result.outcome = outcome_;
      result.error = "the log does not respond";
      if (outcome_ == PublishOutcome::kPersisted) {
        result.position.set_topic(record.topic);
        result.position.set_offset(static_cast<std::int64_t>(records_.size()));
      }
      if (outcome_ != PublishOutcome::kNotPersisted) records_.push_back(std::move(record));
    }
    report(result);
  }

  // The outcome of every publish from now on. With kUnknown the record is in the log.
  void SetOutcome(PublishOutcome outcome) {
    const std::lock_guard lock(mutex_);
    outcome_ = outcome;
  }

  // Called by every publish before it stores the record. To be set before the log is used.
  void BeforePublish(std::function<void()> callback) { before_publish_ = std::move(callback); }

  std::vector<OutgoingRecord> Records() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }

  // The messages published to a topic.
  template <typename Message>
  std::vector<Message> On(const std::string& topic) const {
    std::vector<Message> messages;
    for (const OutgoingRecord& record : Records())
      if (record.topic == topic) messages.emplace_back().ParseFromString(record.value);
    return messages;
  }

 private:
  std::function<void()> before_publish_;
  mutable std::mutex mutex_;
  PublishOutcome outcome_ = PublishOutcome::kPersisted;
  std::vector<OutgoingRecord> records_;
};

}  // namespace tocsin
