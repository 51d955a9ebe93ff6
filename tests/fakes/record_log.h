// The log, in memory: what was published, in order, and ways to make it fail.
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
    if (meanwhile_) meanwhile_();
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

  // What happens while a record is on its way; set before the log is used.
  void Meanwhile(std::function<void()> happens) { meanwhile_ = std::move(happens); }

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
  std::function<void()> meanwhile_;
  mutable std::mutex mutex_;
  PublishOutcome outcome_ = PublishOutcome::kPersisted;
  std::vector<OutgoingRecord> records_;
};

}  // namespace tocsin
