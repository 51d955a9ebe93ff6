// One stream of WatchAlert. It occupies no thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "services/audit/rpc/alert_subscriptions.h"
#include "services/audit/rpc/projection_waiter.h"
#include "services/audit/rpc/unary_request.h"
#include "tocsin/records/v1/records.pb.h"
#include "tocsin/v1/status_service.grpc.pb.h"

namespace tocsin::audit {

// An AlertCursor, checked.
struct WatchedAlert {
  std::string alert_id;
  std::int64_t after_revision = 0;
  std::optional<records::v1::Position> consistency_token;
};

// Lives until gRPC and its subscriptions have released it. A client that reads slowly gets the
// newest revision of each alert, not those in between.
class WatchStream final : public grpc::ServerWriteReactor<v1::WatchAlertResponse> {
 public:
  // The parts outlive the stream.
  static WatchStream* Make(AlertSubscriptions& subscriptions, ProjectionWaiter& waiter,
                           const RequestObserver& observer);

  // Streams the changes of each alert, as soon as the record at its token is projected, until all
  // are final. The first error, such as kNotFound of one alert, ends the stream.
  void Start(const std::string& client_id, const std::vector<WatchedAlert>& alerts);

  // Ends the stream after the responses that are pending.
  void End(const Error& error);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  WatchStream(AlertSubscriptions& subscriptions, ProjectionWaiter& waiter,
              const RequestObserver& observer)
      : subscriptions_(subscriptions), waiter_(waiter), observer_(observer) {}

  void Subscribe(const std::string& client_id, const WatchedAlert& alert);
  void OnUpdate(const Result<AlertSubscriptions::Update>& update);
  void QueueLocked(std::shared_ptr<const v1::Alert> alert);
  void ProceedLocked();
  void FinishLocked(const grpc::Status& status, std::optional<ErrorCode> error);
  void Unsubscribe();

  AlertSubscriptions& subscriptions_;
  ProjectionWaiter& waiter_;
  const RequestObserver& observer_;
  const SteadyTime start_ = std::chrono::steady_clock::now();
  std::shared_ptr<WatchStream> self_;  // until OnDone()

  std::mutex mutex_;
  bool writing_ = false;
  bool finished_ = false;                                 // the last operation was started
  bool cancelled_ = false;                                // by the client
  size_t open_ = 0;                                       // alerts that are not final
  std::deque<std::shared_ptr<const v1::Alert>> pending_;  // to be written; one entry per alert
  std::optional<Error> error_;                            // to end with after `pending_`
  v1::WatchAlertResponse response_;
  std::vector<ProjectionWaiter::WaitId> wait_ids_;
  std::vector<AlertSubscriptions::Id> subscription_ids_;
};

}  // namespace tocsin::audit
