// One stream of WatchAlert. It holds no thread: gRPC's threads and the watch's move it on.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "services/audit/alert_watch.h"
#include "services/audit/call.h"
#include "services/audit/position_board.h"
#include "tocsin/v1/status_service.grpc.pb.h"

namespace tocsin::audit {

// Lives until gRPC is done with it and nobody tells it anything any more. A caller who reads slowly
// gets the newest state, not each one between.
class WatchCall final : public grpc::ServerWriteReactor<v1::WatchAlertResponse> {
 public:
  // The parts outlive the call.
  static WatchCall* Make(AlertWatch& watch, PositionBoard& board, const Answered& answered);

  // Once the record at `min_position` is folded, watches the alert.
  void Begin(const std::string& client_id, const std::string& alert_id,
             const std::optional<v1::Position>& min_position);
  void End(const Error& error);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  WatchCall(AlertWatch& watch, PositionBoard& board, const Answered& answered)
      : watch_(watch), board_(board), answered_(answered) {}

  void Watch(const std::string& client_id, const std::string& alert_id);
  void Tell(const Result<AlertWatch::Known>& alert);
  void Move();
  void EndWith(const grpc::Status& status, std::string_view reason);

  AlertWatch& watch_;
  PositionBoard& board_;
  const Answered& answered_;
  const SteadyTime began_ = std::chrono::steady_clock::now();
  std::shared_ptr<WatchCall> self_;  // until OnDone()

  std::mutex mutex_;
  bool writing_ = false;
  bool over_ = false;       // the last operation was asked for
  bool cancelled_ = false;  // the caller left
  AlertWatch::Known next_;
  std::optional<Error> error_;  // to end with, behind what is being written
  v1::WatchAlertResponse response_;
  PositionBoard::Ticket waiting_ = 0;
  AlertWatch::Ticket watching_ = 0;
};

}  // namespace tocsin::audit
