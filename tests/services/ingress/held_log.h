// A log that reports nothing until the test allows it.
#pragma once

#include <deque>
#include <functional>
#include <utility>

#include "tests/fakes/record_log.h"

namespace tocsin::ingress {

// For one thread. What is released goes into `log`, which determines its result.
class HeldLog final : public RecordLog {
 public:
  explicit HeldLog(FakeRecordLog& log) : log_(log) {}

  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override {
    held_.emplace_back(std::move(record), std::move(report));
  }

  size_t Held() const { return held_.size(); }

  // The oldest one is written and reported.
  void ReleaseOne() {
    auto [record, report] = std::move(held_.front());
    held_.pop_front();
    log_.Publish(std::move(record), report);
  }

 private:
  FakeRecordLog& log_;
  std::deque<std::pair<OutgoingRecord, std::function<void(const PublishReport&)>>> held_;
};

}  // namespace tocsin::ingress
