// StatusService on gRPC's callback API: handlers hand the reading to a small pool and never block.
#pragma once

#include <functional>
#include <string>

#include "common/ports/registry_source.h"
#include "common/postgres/reader_pool.h"
#include "services/audit/intake.h"
#include "services/audit/position_board.h"
#include "tocsin/v1/status_service.grpc.pb.h"

namespace tocsin::audit {

constexpr std::chrono::seconds kMaxWait{30};  // of GetAlert for a position
constexpr std::chrono::seconds kDefaultWait{5};

// `reason` is a name of the closed list, or "OK". Must not block.
using Answered = std::function<void(std::string_view method, std::string_view reason)>;

class StatusService final : public v1::StatusService::CallbackService {
 public:
  struct Parts {
    const RegistrySource& registry;
    const FoldedTopics& topics;
    PositionBoard& board;
    postgres::ReaderPool& readers;
  };

  // The parts outlive every call.
  StatusService(Parts parts, Answered answered) : parts_(parts), answered_(std::move(answered)) {}

  // kNotFound for another client's alert as for an unknown one.
  grpc::ServerUnaryReactor* GetAlert(grpc::CallbackServerContext* context,
                                     const v1::GetAlertRequest* request,
                                     v1::GetAlertResponse* response) override;

  // Refused with NOT_BUILT: the wire is laid, the work behind it is not.
  grpc::ServerUnaryReactor* ListAlerts(grpc::CallbackServerContext* context,
                                       const v1::ListAlertsRequest* request,
                                       v1::ListAlertsResponse* response) override;
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

}  // namespace tocsin::audit
