#include "services/audit/watch_call.h"

#include <utility>

#include "common/domain/folding.h"
#include "common/rpc/errors.h"
#include "services/audit/status_service.h"

namespace tocsin::audit {

WatchCall* WatchCall::Make(AlertWatch& watch, PositionBoard& board, const Answered& answered) {
  const std::shared_ptr<WatchCall> call(new WatchCall(watch, board, answered));
  call->self_ = call;
  return call.get();
}

void WatchCall::Begin(const std::string& client_id, const std::string& alert_id,
                      const std::optional<v1::Position>& min_position) {
  if (!min_position) return Watch(client_id, alert_id);
  const PositionBoard::Ticket ticket =
      board_.Wait({min_position->topic(), min_position->partition()}, min_position->offset(),
                  std::chrono::steady_clock::now() + kMaxWait,
                  [call = self_, client_id, alert_id](const Status& folded) {
                    folded ? call->Watch(client_id, alert_id) : call->End(folded.error());
                  });
  const std::lock_guard lock(mutex_);
  waiting_ = ticket;
}

// Holding the lock while it asks to be told: whoever cancels meanwhile finds the ticket.
void WatchCall::Watch(const std::string& client_id, const std::string& alert_id) {
  std::unique_lock lock(mutex_);
  if (over_) return;
  const auto ticket =
      watch_.Add(alert_id, client_id,
                 [call = self_](const Result<AlertWatch::Known>& alert) { call->Tell(alert); });
  if (ticket) {
    watching_ = *ticket;
    return;
  }
  lock.unlock();
  End(ticket.error());
}

void WatchCall::Tell(const Result<AlertWatch::Known>& alert) {
  if (!alert) return End(alert.error());
  const std::lock_guard lock(mutex_);
  next_ = *alert;
  Move();
}

void WatchCall::End(const Error& error) {
  const std::lock_guard lock(mutex_);
  error_ = error;
  Move();
}

// Holding the lock. Of the operations of a stream one is under way at a time.
void WatchCall::Move() {
  if (over_ || writing_) return;
  if (const AlertWatch::Known alert = std::exchange(next_, nullptr)) {
    *response_.mutable_alert() = *alert;
    if (IsEnd(alert->state())) {
      over_ = true;
      answered_("WatchAlert", "OK", Since(began_));
      StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
      return;
    }
    writing_ = true;
    StartWrite(&response_);
    return;
  }
  if (error_) EndWith(rpc::ToGrpcStatus(*error_), TraitsOf(error_->code).name);
}

void WatchCall::EndWith(const grpc::Status& status, std::string_view reason) {
  over_ = true;
  answered_("WatchAlert", reason, Since(began_));
  Finish(status);
}

void WatchCall::OnWriteDone(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  response_ = v1::WatchAlertResponse();  // a watcher that waits holds no alert
  if (over_) return;
  if (!ok || cancelled_) return EndWith(grpc::Status::CANCELLED, "OK");
  Move();
}

// The caller left. What is being written comes back by itself, perhaps as written: the end is then
// its part.
void WatchCall::OnCancel() {
  PositionBoard::Ticket waiting = 0;
  AlertWatch::Ticket watching = 0;
  {
    const std::lock_guard lock(mutex_);
    waiting = waiting_;
    watching = watching_;
    cancelled_ = true;
    if (!over_ && !writing_) EndWith(grpc::Status::CANCELLED, "OK");
  }
  board_.Forget(waiting);
  watch_.Remove(watching);
}

void WatchCall::OnDone() {
  const std::shared_ptr<WatchCall> last = std::move(self_);
  watch_.Remove(watching_);
}

}  // namespace tocsin::audit
