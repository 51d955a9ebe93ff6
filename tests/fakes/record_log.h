// The log, in memory: what was published, in order, and ways to make it fail.
#pragma once

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
    PublishReport said;
    {
      const std::lock_guard lock(mutex_);
      said.outcome = outcome_;
      said.why = "the log does not answer";
      if (outcome_ == PublishOutcome::kPersisted) {
        said.position.set_topic(record.topic);
        said.position.set_offset(static_cast<std::int64_t>(records_.size()));
      }
      if (outcome_ != PublishOutcome::kNotPersisted) records_.push_back(std::move(record));
    }
    report(said);
  }

  // How every publish ends from now on. What ends kUnknown is in the log.
  void EndWith(PublishOutcome outcome) {
    const std::lock_guard lock(mutex_);
    outcome_ = outcome;
  }

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
  mutable std::mutex mutex_;
  PublishOutcome outcome_ = PublishOutcome::kPersisted;
  std::vector<OutgoingRecord> records_;
};

}  // namespace tocsin
