#include "common/redis/server.h"

#include "common/base/failpoint.h"

namespace tocsin::redis {
namespace {

Result<ServerInfo> ReadInfo(Connection& connection, SteadyTime deadline) {
  TOCSIN_TRY(const Reply info, connection.Ask({"INFO"}, deadline));
  return ParseInfo(info.text);
}

}  // namespace

Server::Server(Settings settings, std::function<void()> on_epoch_changed)
    : settings_(std::move(settings)),
      keys_(settings_.prefix),
      memory_(keys_, settings_.known_epoch, settings_.waits_for_rebuild,
              std::move(on_epoch_changed)),
      pool_(settings_.pool_size, [this](SteadyTime deadline) { return Connect(deadline); }) {}

Result<Connection> Server::Connect(SteadyTime deadline) {
  TOCSIN_TRY(Connection connection, Connection::Open(settings_, deadline));
  TOCSIN_TRY(const ServerInfo info, ReadInfo(connection, deadline));
  if (const std::string faults = FaultsOf(info); !faults.empty()) return Fail(Unavailable(faults));
  TOCSIN_CHECK_OK(memory_.Meet(connection, info, deadline));
  return connection;
}

Status Server::CheckServer() {
  const SteadyTime deadline = Deadline();
  TOCSIN_TRY(Connection connection, Connection::Open(settings_, deadline));
  TOCSIN_TRY(const ServerInfo info, ReadInfo(connection, deadline));
  if (const std::string faults = FaultsOf(info); !faults.empty())
    return Fail(ErrorCode::kInvalidConfig, "Redis: " + faults, "TOCSIN_REDIS_URL");
  return {};
}

Status Server::Ping() {
  const SteadyTime deadline = Deadline();
  TOCSIN_TRY(Pool::Loan connection, pool_.Borrow(deadline));
  TOCSIN_CHECK_OK(connection->Ask({"PING"}, deadline));
  return {};
}

Status Server::AdoptEpoch() {
  const SteadyTime deadline = Deadline();
  TOCSIN_TRY(Connection connection, Connection::Open(settings_, deadline));
  return memory_.Adopt(connection, deadline);
}

std::string Server::Epoch() const {
  const auto held = memory_.Current();
  return held == nullptr ? std::string() : held->epoch;
}

Result<Reply> Server::Run(const ScriptCall& call) {
  const SteadyTime deadline = Deadline();
  TOCSIN_TRY(Pool::Loan connection, pool_.Borrow(deadline));
  const std::shared_ptr<Memory::Held> held = memory_.Current();
  Append(*connection, call, keys_, *held, CallForm::kBySha);
  TOCSIN_TRY(std::vector<Reply> replies, connection->Exchange(deadline));
  if (IsNoScript(replies.front())) {
    Append(*connection, call, keys_, *held, CallForm::kByText);
    TOCSIN_TRY(replies, connection->Exchange(deadline));
  }
  Result<Reply> judged = Judge(std::move(replies.front()), memory_, *held);
  if (TOCSIN_WITHOUT("epoch") && !judged) {
    TOCSIN_CHECK_OK(AdoptEpoch());
    Append(*connection, call, keys_, *memory_.Current(), CallForm::kByText);
    TOCSIN_TRY(replies, connection->Exchange(deadline));
    return Judge(std::move(replies.front()), memory_, *memory_.Current());
  }
  return judged;
}

}  // namespace tocsin::redis
