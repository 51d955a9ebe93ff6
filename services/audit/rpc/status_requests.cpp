#include "services/audit/rpc/status_requests.h"

#include <set>

#include "common/domain/alert/request_rules.h"
#include "common/ports/consistency_token.h"

namespace tocsin::audit {
namespace {

// Nothing without a token. The position must be one that is projected sooner or later.
Result<std::optional<records::v1::Position>> ParseToken(const std::string& bytes,
                                                        const std::string& field,
                                                        const ProjectedTopics& topics) {
  if (bytes.empty()) return std::optional<records::v1::Position>();
  TOCSIN_TRY(records::v1::Position position, ParseConsistencyToken(bytes, field));
  if (!topics.KindOf(position.topic()) || position.partition() >= kLanePartitions)
    return Fail(InvalidConsistencyToken(field));
  return std::optional(std::move(position));
}

Result<std::chrono::milliseconds> ParseWait(const v1::GetAlertRequest& request) {
  if (!request.has_wait_duration()) return std::chrono::milliseconds(kDefaultWait);
  const std::int64_t seconds = request.wait_duration().seconds();
  const std::int64_t nanos = request.wait_duration().nanos();
  const bool in_range = seconds >= 0 && nanos >= 0 && nanos < 1'000'000'000 &&
                        (seconds < kMaxWait.count() || (seconds == kMaxWait.count() && nanos == 0));
  if (!in_range)
    return Fail(ErrorCode::kInvalidArgument, "must be between 0 and 30 s", "wait_duration");
  return std::chrono::milliseconds(seconds * 1'000 + nanos / 1'000'000);
}

}  // namespace

Result<GetAlertQuery> ParseGetAlert(const v1::GetAlertRequest& request,
                                    const ProjectedTopics& topics) {
  GetAlertQuery query;
  TOCSIN_CHECK_OK(CheckAlertId(request.alert_id()));
  query.alert_id = request.alert_id();
  TOCSIN_TRY(query.wait, ParseWait(request));
  TOCSIN_TRY(query.consistency_token,
             ParseToken(request.consistency_token(), "consistency_token", topics));
  return query;
}

Result<std::vector<WatchedAlert>> ParseWatchAlert(const v1::WatchAlertRequest& request,
                                                  const ProjectedTopics& topics) {
  if (request.alerts().empty())
    return Fail(ErrorCode::kInvalidArgument, "must contain at least one alert", "alerts");
  if (request.alerts_size() > kMaxWatchedAlerts)
    return Fail(ErrorCode::kTooManyItems, "more than 100 alerts", "alerts");
  std::vector<WatchedAlert> alerts;
  std::set<std::string> ids;
  for (const v1::AlertCursor& cursor : request.alerts()) {
    const std::string item = "alerts[" + std::to_string(alerts.size()) + "].";
    TOCSIN_CHECK_OK(CheckAlertId(cursor.alert_id(), item + "alert_id"));
    if (!ids.insert(cursor.alert_id()).second)
      return Fail(ErrorCode::kInvalidArgument, "duplicate alert", item + "alert_id");
    if (cursor.after_revision() < 0)
      return Fail(ErrorCode::kInvalidArgument, "must not be negative", item + "after_revision");
    TOCSIN_TRY(auto token,
               ParseToken(cursor.consistency_token(), item + "consistency_token", topics));
    alerts.push_back({cursor.alert_id(), cursor.after_revision(), std::move(token)});
  }
  return alerts;
}

}  // namespace tocsin::audit
