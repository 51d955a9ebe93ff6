// Runs scripts for the tasks of a loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/event_loop.h"
#include "common/async/task.h"
#include "common/async/task_group.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/redis/pipelined_connection.h"
#include "common/redis/reply.h"
#include "common/redis/script.h"
#include "common/redis/server.h"

namespace tocsin::redis {

constexpr std::size_t kMaxScriptCalls = 4096;  // in progress
// Between the starts of two attempts to connect.
constexpr std::chrono::milliseconds kReconnectInterval{100};

// All calls use one connection. It is opened by the first call, and by the first call after a
// failure, at most every kReconnectInterval; a thread does that, because it blocks. Calls wait for
// it until their own deadline. Used on the loop's thread. Outlives its tasks; the server and the
// loop outlive it. The destructor blocks while a connection is being opened, for request_timeout
// (1 s) at most; longer if a host name must be resolved.
class ScriptClient {
 public:
  ScriptClient(Server& server, EventLoop& loop);
  ~ScriptClient() = default;
  ScriptClient(const ScriptClient&) = delete;
  ScriptClient& operator=(const ScriptClient&) = delete;

  // Returns the checked reply (CheckReply). Fails with kRedisUnavailable after request_timeout
  // (1 s), if the connection fails (the script may have been executed), or if kMaxScriptCalls are
  // in progress.
  Task<Result<Reply>> Run(ScriptCall call);

  std::size_t CallsInProgress() const { return calls_; }
  Server& server() { return server_; }
  const Keys& keys() const { return server_.keys(); }

 private:
  Task<Result<Reply>> RunOnce(const ScriptCall& call, SteadyTime deadline);
  Task<Status> AwaitConnection(SteadyTime deadline);
  Task<void> Connect();
  Task<Result<Reply>> Send(const ScriptCall& call, const EpochTracker::AdoptedEpoch& epoch,
                           CallForm form, SteadyTime deadline);

  Server& server_;
  EventLoop& loop_;
  std::size_t calls_ = 0;
  std::unique_ptr<PipelinedConnection> connection_;  // null before the first one
  std::vector<Callback<Status>> waiting_;            // for a connection
  bool connecting_ = false;
  SteadyTime next_attempt_;
  TaskGroup tasks_;
  BlockingPool pool_{1};
};

}  // namespace tocsin::redis
