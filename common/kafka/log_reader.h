// Reading records that are past, without a group.
#pragma once

#include <chrono>
#include <cstddef>
#include <semaphore>

#include "common/kafka/settings.h"
#include "common/ports/record_history.h"

namespace tocsin::kafka {

constexpr std::chrono::seconds kHistoryPatience{30};

// Each call has a client of its own, so calls disturb neither each other nor the consumers. Of the
// short readings, to a position or of a key, a few go on at once; the others wait for their turn.
class LogReader final : public RecordHistory {
 public:
  LogReader(KafkaSettings settings, Hooks hooks)
      : settings_(std::move(settings)), hooks_(std::move(hooks)) {}

  Status Read(const std::vector<std::string>& topics, WallTime from,
              const std::function<void(const IncomingRecord&)>& fold,
              std::stop_token stop) override;
  Status ReadTo(const v1::Position& last, WallTime from, SteadyTime deadline,
                const std::function<void(const IncomingRecord&)>& fold) override;
  Status ReadKey(const std::string& topic, const std::string& key, WallTime from,
                 SteadyTime deadline,
                 const std::function<void(const IncomingRecord&)>& fold) override;
  Result<std::optional<IncomingRecord>> At(const v1::Position& position) override;

 private:
  static constexpr std::ptrdiff_t kReadingsAtOnce = 8;

  const KafkaSettings settings_;
  const Hooks hooks_;
  std::counting_semaphore<kReadingsAtOnce> turns_{kReadingsAtOnce};
};

}  // namespace tocsin::kafka
