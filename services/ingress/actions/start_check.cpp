#include "services/ingress/actions/start_check.h"

#include <chrono>
#include <utility>

#include "common/domain/delivery/cancel_outcome.h"

namespace tocsin::ingress {
namespace {

constexpr std::chrono::seconds kReadTimeout{5};
constexpr std::chrono::milliseconds kRetryDelay{1000};

}  // namespace

void LogStartCheck::Run(const std::string& alert_id, const records::v1::Position& cancellation,
                        WallTime from, std::function<void(Result<v1::CancelOutcome>)> done) {
  if (pending_.fetch_add(1) >= kMaxPending) {
    --pending_;
    return done(Fail(Error{.code = ErrorCode::kOverloaded,
                           .message = "too many cancellations of emergencies in progress; retry",
                           .retry_after = kRetryDelay}));
  }
  pool_.Run([this, alert_id, cancellation, from, done = std::move(done)] {
    done(Read(alert_id, cancellation, from));
    --pending_;
  });
}

Result<v1::CancelOutcome> LogStartCheck::Read(const std::string& alert_id,
                                              const records::v1::Position& cancellation,
                                              WallTime from) const {
  StartsBeforeCancel starts;
  const Status read =
      history_.ReadTo(cancellation, from, std::chrono::steady_clock::now() + kReadTimeout,
                      [&](const IncomingRecord& record) {
                        records::v1::Event event;
                        if (record.key == alert_id && event.ParseFromString(record.value))
                          starts.Apply(event);
                      });
  if (!read)
    return Fail(Error{.code = ErrorCode::kKafkaUnavailable,
                      .message =
                          "the alert is marked, but whether an attempt was started before is "
                          "not known; retry",
                      .retry_after = kRetryDelay});
  return starts.outcome();
}

}  // namespace tocsin::ingress
