// Reconciliation with the carrier's books: ends and prices that no callback told.
#pragma once

#include <functional>
#include <stop_token>

#include "common/base/result.h"
#include "common/delivery/callback_desk.h"
#include "common/domain/open_try.h"
#include "common/domain/topics.h"
#include "common/ports/carrier_books.h"
#include "common/ports/clock.h"
#include "common/ports/open_tries.h"
#include "common/ports/record_log.h"
#include "common/ports/registry_source.h"

namespace tocsin {

constexpr size_t kTriesPerRun = 100;
constexpr std::chrono::seconds kBooksLimit{5};  // one question to the carrier
constexpr Micros kBetweenRuns =
    std::chrono::seconds(5);                      // when the last one found less than it may
constexpr size_t kFailuresInARow = 3;             // then a run ends
constexpr std::chrono::minutes kAfterFailure{1};  // a try whose books did not answer is asked again

struct ReconciliationSettings {
  ReconcileSchedule schedule{};
  double questions_per_second = 10;  // to the carrier, at most
};

// What happened, for metrics. Called on the thread that runs; must not block.
struct ReconciliationObserver {
  std::function<void(std::size_t open)> run = [](std::size_t) {};
  std::function<void(Finding)> found = [](Finding) {};
  std::function<void(const Error&)> failed = [](const Error&) {};  // the rest of the run is left
};

// Looks open tries up, one by one, and publishes what their callbacks would have. Holds nothing
// between runs: whoever owns them goes on, and two at once publish the same twice.
class Reconciliation {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    OpenTries& open;
    CarrierBooks& books;
    CallbackDesk& desk;  // what follows from an end follows from it
    RecordLog& log;
    const Topics& topics;
  };

  Reconciliation(v1::Channel channel, Parts parts, ReconciliationSettings settings,
                 ReconciliationObserver observer)
      : channel_(channel), parts_(parts), settings_(settings), observer_(std::move(observer)) {}

  // Runs while `owner` says that this process does it, until `stop`. Blocks; ends within
  // kBooksLimit and the log's delivery time-out of a stop.
  void Serve(std::stop_token stop, const std::function<bool()>& owner);

  // One run: kTriesPerRun tries at most, and how many it looked at. `pause` waits, false when there
  // is to be no more. An error means that a neighbour did not answer; what was looked at is noted.
  Result<size_t> Run(const std::function<bool(Micros)>& pause);

 private:
  Result<std::optional<BookEntry>> Ask(const OpenTry& open);
  Status Defer(const OpenTry& open);
  Status Publish(const OpenTry& open, const Reconciled& found);

  const v1::Channel channel_;
  const Parts parts_;
  const ReconciliationSettings settings_;
  const ReconciliationObserver observer_;
};

}  // namespace tocsin
