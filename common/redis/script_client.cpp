#include "common/redis/script_client.h"

#include <chrono>
#include <utility>

#include "common/base/failpoint.h"

namespace tocsin::redis {
namespace {

SteadyTime Now() { return std::chrono::steady_clock::now(); }

// Loads the scripts: after a restart of Redis, each call in flight would be sent a second time,
// with its text.
Result<Connection> Open(Server& server) {
  const SteadyTime deadline = Now() + server.settings().request_timeout;
  TOCSIN_TRY(Connection connection, server.Connect(deadline));
  for (const Script* script : WorkerScripts()) connection.Append({"SCRIPT", "LOAD", script->text});
  TOCSIN_CHECK_OK(connection.Execute(deadline));
  return connection;
}

class Count {
 public:
  explicit Count(std::size_t& count) : count_(count) { ++count_; }
  ~Count() { --count_; }
  Count(const Count&) = delete;
  Count& operator=(const Count&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

ScriptClient::ScriptClient(Server& server, EventLoop& loop) : server_(server), loop_(loop) {}

Task<Result<Reply>> ScriptClient::Run(ScriptCall call) {
  if (calls_ >= kMaxScriptCalls) co_return Fail(Unavailable("too many requests in progress"));
  const Count counted(calls_);
  const SteadyTime deadline = Now() + server_.settings().request_timeout;
  Result<Reply> reply = co_await RunOnce(call, deadline);
  if (TOCSIN_WITHOUT("epoch") && !reply) {
    Server& server = server_;
    const auto adopt = [&server] { return server.AdoptEpoch(); };
    TOCSIN_CO_CHECK_OK(co_await RunBlocking(pool_, loop_, adopt));
    co_return co_await RunOnce(call, Now() + server_.settings().request_timeout);
  }
  co_return reply;
}

Task<Result<Reply>> ScriptClient::RunOnce(const ScriptCall& call, SteadyTime deadline) {
  // Not an epoch that is adopted meanwhile: the caller knows CompleteSince() of this one.
  std::shared_ptr<EpochTracker::AdoptedEpoch> epoch = server_.tracker().Current();
  TOCSIN_CO_CHECK_OK(co_await AwaitConnection(deadline));
  if (epoch == nullptr) epoch = server_.tracker().Current();  // the first connection
  Result<Reply> reply = co_await Send(call, *epoch, CallForm::kBySha, deadline);
  if (reply && IsNoScript(*reply)) reply = co_await Send(call, *epoch, CallForm::kByText, deadline);
  if (!reply) co_return reply;
  co_return CheckReply(*std::move(reply), server_.tracker(), *epoch);
}

Task<Result<Reply>> ScriptClient::Send(const ScriptCall& call,
                                       const EpochTracker::AdoptedEpoch& epoch, CallForm form,
                                       SteadyTime deadline) {
  const auto append = [&](Connection& connection) {
    Append(connection, call, server_.keys(), epoch, form);
  };
  const auto start = [&](const Callback<Result<Reply>>& done) {
    connection_->Execute(append, deadline, done);
  };
  co_return co_await AwaitCallback<Result<Reply>>(start);
}

Task<Status> ScriptClient::AwaitConnection(SteadyTime deadline) {
  if (connection_ && connection_->IsOpen()) co_return Status();
  const auto start = [&](const Callback<Status>& done) {
    // Those whose task has ended meanwhile.
    if (waiting_.size() >= 2 * kMaxScriptCalls)
      std::erase_if(waiting_, [](const Callback<Status>& other) { return other.Abandoned(); });
    waiting_.push_back(done);
    loop_.After(std::chrono::ceil<Micros>(deadline - Now()),
                [done] { done(Fail(Unavailable("no connection within the timeout"))); });
    if (!std::exchange(connecting_, true)) tasks_.Start(Connect());
  };
  co_return co_await AwaitCallback<Status>(start);
}

Task<void> ScriptClient::Connect() {
  co_await Sleep(loop_, std::chrono::ceil<Micros>(next_attempt_ - Now()));
  next_attempt_ = Now() + kReconnectInterval;
  Server& server = server_;
  const auto open = [&server] { return Open(server); };
  Result<Connection> opened = co_await RunBlocking(pool_, loop_, open);
  const Status status = opened ? Status() : Status(Fail(opened.error()));
  if (opened) connection_ = std::make_unique<PipelinedConnection>(loop_, *std::move(opened));
  connecting_ = false;
  for (const Callback<Status>& done : std::exchange(waiting_, {})) done(status);
}

}  // namespace tocsin::redis
