// Checks the requests of StatusService. Pure; errors name the field.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "services/audit/projection/record_decoder.h"
#include "services/audit/rpc/watch_stream.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

constexpr int kMaxWatchedAlerts = 100;  // by one stream

struct GetAlertQuery {
  std::string alert_id;
  std::optional<records::v1::Position> consistency_token;
  std::chrono::milliseconds wait{};
};

Result<GetAlertQuery> ParseGetAlert(const v1::GetAlertRequest& request,
                                    const ProjectedTopics& topics);

Result<std::vector<WatchedAlert>> ParseWatchAlert(const v1::WatchAlertRequest& request,
                                                  const ProjectedTopics& topics);

}  // namespace tocsin::audit
