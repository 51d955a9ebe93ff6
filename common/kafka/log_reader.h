// Reads past records, without a consumer group.
#pragma once

#include <chrono>
#include <cstddef>
#include <semaphore>

#include "common/kafka/settings.h"
#include "common/ports/record_history.h"

namespace tocsin::kafka {

constexpr std::chrono::seconds kHistoryTimeout{30};

// Each read has a client of its own, so reads disturb neither each other nor the consumers. A few
// calls of ReadTo() and ReadKey() run concurrently; the others wait.
class LogReader final : public RecordHistory {
 public:
  LogReader(KafkaSettings settings, Hooks hooks)
      : settings_(std::move(settings)), hooks_(std::move(hooks)) {}

  Status Read(const std::vector<std::string>& topics, WallTime from, const Handle& handle,
              std::stop_token stop) override;
  Status ReadTo(const records::v1::Position& last, WallTime from, SteadyTime deadline,
                const Handle& handle) override;
  Status ReadKey(const std::string& topic, const std::string& key, WallTime from,
                 SteadyTime deadline, const Handle& handle) override;
  Result<std::optional<IncomingRecord>> At(const records::v1::Position& position) override;

 private:
  static constexpr std::ptrdiff_t kConcurrentReads = 8;

  const KafkaSettings settings_;
  const Hooks hooks_;
  std::counting_semaphore<kConcurrentReads> permits_{kConcurrentReads};
};

}  // namespace tocsin::kafka
