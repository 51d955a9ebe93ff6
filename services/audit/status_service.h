// StatusService on gRPC's callback API: handlers hand the reading to a small pool and never block.
#pragma once

#include <functional>
#include <string>

#include "common/ports/vault.h"
#include "common/postgres/reader_pool.h"
#include "common/rpc/door.h"
#include "services/audit/alert_watch.h"
#include "services/audit/call.h"
#include "services/audit/intake.h"
#include "services/audit/position_board.h"
#include "tocsin/v1/status_service.grpc.pb.h"

namespace tocsin::audit {

constexpr std::chrono::seconds kMaxWait{30};  // of GetAlert for a position
constexpr std::chrono::seconds kDefaultWait{5};

class StatusService final : public v1::StatusService::CallbackService {
 public:
  struct Parts {
    rpc::Door& door;
    const FoldedTopics& topics;
    PositionBoard& board;
    postgres::ReaderPool& readers;
    Vault& vault;
    AlertWatch& watch;
  };

  // The parts outlive every call.
  StatusService(Parts parts, Answered answered) : parts_(parts), answered_(std::move(answered)) {}

  // kNotFound for another client's alert as for an unknown one.
  grpc::ServerUnaryReactor* GetAlert(grpc::CallbackServerContext* context,
                                     const v1::GetAlertRequest* request,
                                     v1::GetAlertResponse* response) override;

  // The caller's own alerts only, newest first.
  grpc::ServerUnaryReactor* ListAlerts(grpc::CallbackServerContext* context,
                                       const v1::ListAlertsRequest* request,
                                       v1::ListAlertsResponse* response) override;

  // The current state, then each change; ends with the terminal state.
  grpc::ServerWriteReactor<v1::WatchAlertResponse>* WatchAlert(
      grpc::CallbackServerContext* context, const v1::WatchAlertRequest* request) override;

 private:
  Parts parts_;
  Answered answered_;
};

// What GetAlert asks for, checked. Pure; the error names the field.
struct GetAlertQuery {
  std::string alert_id;
  std::optional<v1::Position> min_position;
  std::chrono::milliseconds wait{};
};
Result<GetAlertQuery> ParseGetAlert(const v1::GetAlertRequest& request, const FoldedTopics& topics);

// A position given by a caller names a record that is folded sooner or later. Pure.
Status CheckPosition(const v1::Position& at, const FoldedTopics& topics);

}  // namespace tocsin::audit
