#include "common/redis/acceptance_store_restorer.h"

#include <chrono>

namespace tocsin::redis {
namespace {

constexpr std::chrono::seconds kBatchTimeout{5};

SteadyTime BatchDeadline() { return std::chrono::steady_clock::now() + kBatchTimeout; }

ScriptCall RestoreCall(const AcceptedAlert& alert, const Keys& keys) {
  return {.script = RestoreAcceptanceScript(),
          .keys = {keys.Alert(alert.alert_id), keys.Idempotency(alert.idempotency_digest)},
          .args = {alert.alert_id, alert.client_id, alert.position.SerializeAsString(),
                   alert.request_digest, std::to_string(ToUnixMicros(alert.create_time)),
                   ExpiryText(alert.expire_time), keys.AlertPrefix()}};
}

Status CheckReplies(const std::vector<Reply>& replies) {
  for (const Reply& reply : replies) {
    if (reply.IsError()) return Fail(ErrorOf(reply));
    if (reply.Text(0) == "epoch_changed") return Fail(Unavailable("data lost during the restore"));
  }
  return {};
}

}  // namespace

Result<StoreEpoch> AcceptanceStoreRestorer::AdoptEpoch() {
  const SteadyTime deadline = BatchDeadline();
  EpochTracker& tracker = server_.tracker();
  const std::shared_ptr<EpochTracker::AdoptedEpoch> former = tracker.Current();
  TOCSIN_CHECK_OK(server_.AdoptEpoch());
  const std::string epoch = tracker.Current()->id;
  if (former != nullptr && former->id != epoch) tracker.ReportDataLoss(*former);
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  TOCSIN_TRY(const Reply restored,
             connection.Execute({"GET", server_.keys().AcceptancesRestored()}, deadline));
  marker_ = tracker.RestoredMarker(epoch);
  return StoreEpoch{.id = epoch, .restored = restored.text == marker_};
}

Status AcceptanceStoreRestorer::Restore(const StoreEpoch& epoch,
                                        std::span<const AcceptedAlert> alerts) {
  const SteadyTime deadline = BatchDeadline();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  TOCSIN_CHECK_OK(connection.Execute({"SCRIPT", "LOAD", RestoreAcceptanceScript().text}, deadline));
  EpochTracker::AdoptedEpoch target;
  target.id = epoch.id;
  for (const AcceptedAlert& alert : alerts)
    Append(connection, RestoreCall(alert, server_.keys()), server_.keys(), target,
           CallForm::kBySha);
  TOCSIN_TRY(const std::vector<Reply> replies, connection.Execute(deadline));
  return CheckReplies(replies);
}

// A Redis that restarted since AdoptEpoch() has another marker.
Status AcceptanceStoreRestorer::MarkRestored(const StoreEpoch& epoch) {
  const SteadyTime deadline = BatchDeadline();
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  EpochTracker::AdoptedEpoch target;
  target.id = epoch.id;
  const ScriptCall call{.script = MarkRestoredScript(),
                        .keys = {server_.keys().AcceptancesRestored()},
                        .args = {marker_}};
  Append(connection, call, server_.keys(), target, CallForm::kByText);
  TOCSIN_TRY(const std::vector<Reply> replies, connection.Execute(deadline));
  return CheckReplies(replies);
}

}  // namespace tocsin::redis
