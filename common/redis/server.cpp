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
  if (adopted->id.empty()) {  // the claims are being restored
    TOCSIN_CHECK_OK(connection->Execute({"PING"}, deadline));
    return {};
  }
  const ScriptCall call{.script = PingScript(), .keys = {keys_.Probe()}, .args = {}};
  TOCSIN_CHECK_OK(RunOn(*connection, call, *adopted, deadline));
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
  Result<Reply> checked = RunOn(*connection, call, *tracker_.Current(), deadline);
  if (TOCSIN_WITHOUT("epoch") && !checked) {
    TOCSIN_CHECK_OK(AdoptEpoch());
    return RunOn(*connection, call, *tracker_.Current(), deadline);
  }
  return checked;
}

Result<Reply> Server::RunOn(Connection& connection, const ScriptCall& call,
                            EpochTracker::AdoptedEpoch& epoch, SteadyTime deadline) {
  Append(connection, call, keys_, epoch, CallForm::kBySha);
  TOCSIN_TRY(std::vector<Reply> replies, connection.Execute(deadline));
  if (IsNoScript(replies.front())) {
    Append(connection, call, keys_, epoch, CallForm::kByText);
    TOCSIN_TRY(replies, connection.Execute(deadline));
  }
  return CheckReply(std::move(replies.front()), tracker_, epoch);
}

}  // namespace tocsin::redis
