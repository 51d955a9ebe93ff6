#include "services/audit/rpc/watch_stream.h"

#include <algorithm>
#include <utility>

#include "common/rpc/errors.h"

namespace tocsin::audit {
namespace {

constexpr std::string_view kMethod = "WatchAlert";

}  // namespace

WatchStream* WatchStream::Make(AlertSubscriptions& subscriptions, ProjectionWaiter& waiter,
                               const RequestObserver& observer) {
  const std::shared_ptr<WatchStream> stream(new WatchStream(subscriptions, waiter, observer));
  stream->self_ = stream;
  return stream.get();
}

void WatchStream::Start(const std::string& client_id, const std::vector<WatchedAlert>& alerts) {
  {
    const std::lock_guard lock(mutex_);
    open_ = alerts.size();
  }
  for (const WatchedAlert& alert : alerts) {
    if (!alert.consistency_token) {
      Subscribe(client_id, alert);
      continue;
    }
    // May call back at once, so the lock must not be held.
    const ProjectionWaiter::WaitId wait_id =
        waiter_.Wait({alert.consistency_token->topic(), alert.consistency_token->partition()},
                     alert.consistency_token->offset(), std::chrono::steady_clock::now() + kMaxWait,
                     [stream = self_, client_id, alert](const Status& visible) {
                       visible ? stream->Subscribe(client_id, alert) : stream->End(visible.error());
                     });
    const std::lock_guard lock(mutex_);
    wait_ids_.push_back(wait_id);
  }
}

// Adds with the lock held, so that a cancellation finds the id.
void WatchStream::Subscribe(const std::string& client_id, const WatchedAlert& alert) {
  std::unique_lock lock(mutex_);
  if (finished_ || cancelled_) return;
  const auto id =
      subscriptions_.Add(alert.alert_id, client_id, alert.after_revision,
                         [stream = self_](const Result<AlertSubscriptions::Update>& update) {
                           stream->OnUpdate(update);
                         });
  if (id) {
    subscription_ids_.push_back(*id);
    return;
  }
  lock.unlock();
  End(id.error());
}

void WatchStream::OnUpdate(const Result<AlertSubscriptions::Update>& update) {
  if (!update) return End(update.error());
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  if (update->alert) QueueLocked(update->alert);
  if (update->is_final) --open_;
  ProceedLocked();
}

void WatchStream::QueueLocked(std::shared_ptr<const v1::Alert> alert) {
  const auto same = std::ranges::find_if(
      pending_, [&](const auto& queued) { return queued->alert_id() == alert->alert_id(); });
  if (same == pending_.end())
    pending_.push_back(std::move(alert));
  else
    *same = std::move(alert);
}

void WatchStream::End(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = error;
  ProceedLocked();
}

// Starts the next operation: a stream has one at a time.
void WatchStream::ProceedLocked() {
  if (finished_ || writing_) return;
  if (pending_.empty()) {
    if (error_)
      FinishLocked(rpc::ToGrpcStatus(*error_), error_->code);
    else if (open_ == 0)
      FinishLocked(grpc::Status::OK, std::nullopt);
    return;
  }
  *response_.mutable_alert() = *pending_.front();
  pending_.pop_front();
  if (pending_.empty() && open_ == 0 && !error_) {
    finished_ = true;
    observer_(kMethod, std::nullopt, ElapsedSince(start_));
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
    return;
  }
  writing_ = true;
  StartWrite(&response_);
}

void WatchStream::FinishLocked(const grpc::Status& status, std::optional<ErrorCode> error) {
  finished_ = true;
  observer_(kMethod, error, ElapsedSince(start_));
  Finish(status);
}

void WatchStream::OnWriteDone(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  response_ = v1::WatchAlertResponse();  // an idle stream keeps no alert
  if (finished_) return;
  if (!ok || cancelled_) return FinishLocked(grpc::Status::CANCELLED, std::nullopt);
  ProceedLocked();
}

// The write in progress, if any, is reported afterwards, perhaps as successful: OnWriteDone() then
// finishes.
void WatchStream::OnCancel() {
  std::vector<ProjectionWaiter::WaitId> wait_ids;
  {
    const std::lock_guard lock(mutex_);
    wait_ids.swap(wait_ids_);
    cancelled_ = true;
    if (!finished_ && !writing_) FinishLocked(grpc::Status::CANCELLED, std::nullopt);
  }
  for (const ProjectionWaiter::WaitId id : wait_ids) waiter_.Forget(id);
  Unsubscribe();
}

void WatchStream::OnDone() {
  const std::shared_ptr<WatchStream> last = std::move(self_);
  Unsubscribe();
}

void WatchStream::Unsubscribe() {
  std::vector<AlertSubscriptions::Id> ids;
  {
    const std::lock_guard lock(mutex_);
    ids.swap(subscription_ids_);
  }
  for (const AlertSubscriptions::Id id : ids) subscriptions_.Remove(id);
}

}  // namespace tocsin::audit
