#include "common/redis/server.h"

#include "common/base/failpoint.h"

namespace tocsin::redis {
namespace {

Result<ServerInfo> ReadInfo(Connection& connection, SteadyTime deadline) {
  TOCSIN_TRY(const Reply reply, connection.Execute({"INFO"}, deadline));
  ServerInfo info = ParseInfo(reply.text);
  if (info.loading) return Fail(Unavailable("LOADING: loading its data after a start"));
  return info;
}

}  // namespace

Server::Server(Settings settings, std::function<void()> on_data_loss,
               std::function<void()> on_restart)
    : settings_(std::move(settings)),
      keys_(settings_.prefix),
      tracker_(keys_, settings_.requires_restore, std::move(on_data_loss), std::move(on_restart)),
      pool_(settings_.pool_size, [this](SteadyTime deadline) { return Connect(deadline); }) {}

Result<Connection> Server::Connect(SteadyTime deadline) {
  TOCSIN_TRY(Connection connection, Connection::Open(settings_, deadline));
  TOCSIN_TRY(const ServerInfo info, ReadInfo(connection, deadline));
  if (const std::string errors = ConfigErrors(info); !errors.empty())
    return Fail(Unavailable(errors));
  TOCSIN_CHECK_OK(tracker_.OnConnect(connection, info, deadline));
  return connection;
}

Status Server::CheckServer() {
  const SteadyTime deadline = Deadline();
  TOCSIN_TRY(Connection connection, Connection::Open(settings_, deadline));
  TOCSIN_TRY(const ServerInfo info, ReadInfo(connection, deadline));
  if (const std::string errors = ConfigErrors(info); !errors.empty())
    return Fail(ErrorCode::kInvalidConfig, "Redis: " + errors, "TOCSIN_REDIS_URL");
  return {};
}

Status Server::Ping() {
  const SteadyTime deadline = Deadline();
  TOCSIN_TRY(Pool::PooledConnection connection, pool_.Acquire(deadline));
  const std::shared_ptr<EpochTracker::AdoptedEpoch> adopted = tracker_.Current();
  TOCSIN_TRY(const Reply epoch, connection->Execute({"GET", keys_.Epoch()}, deadline));
  if (!adopted->id.empty() && epoch.text != adopted->id)
    return Fail(tracker_.ReportDataLoss(*adopted));
  return {};
}

Status Server::AdoptEpoch() {
  const SteadyTime deadline = Deadline();
  TOCSIN_TRY(Connection connection, Connection::Open(settings_, deadline));
  return tracker_.AdoptCurrent(connection, deadline);
}

Result<Reply> Server::Run(const ScriptCall& call) {
  const SteadyTime deadline = Deadline();
  TOCSIN_TRY(Pool::PooledConnection connection, pool_.Acquire(deadline));
  const std::shared_ptr<EpochTracker::AdoptedEpoch> epoch = tracker_.Current();
  Append(*connection, call, keys_, *epoch, CallForm::kBySha);
  TOCSIN_TRY(std::vector<Reply> replies, connection->Execute(deadline));
  if (IsNoScript(replies.front())) {
    Append(*connection, call, keys_, *epoch, CallForm::kByText);
    TOCSIN_TRY(replies, connection->Execute(deadline));
  }
  Result<Reply> checked = CheckReply(std::move(replies.front()), tracker_, *epoch);
  if (TOCSIN_WITHOUT("epoch") && !checked) {
    TOCSIN_CHECK_OK(AdoptEpoch());
    Append(*connection, call, keys_, *tracker_.Current(), CallForm::kByText);
    TOCSIN_TRY(replies, connection->Execute(deadline));
    return CheckReply(std::move(replies.front()), tracker_, *tracker_.Current());
  }
  return checked;
}

}  // namespace tocsin::redis
