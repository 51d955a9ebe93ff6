// A connection to Redis with many commands in flight.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "common/async/callback.h"
#include "common/async/event_loop.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/redis/connection.h"
#include "common/redis/reply.h"

namespace tocsin::redis {

// Redis replies in the order of the commands. The commands of one iteration of the loop are sent
// together. Closes the connection when it fails or when a reply is late. All commands in flight
// then fail with kRedisUnavailable: they may have been executed. Used on the loop's thread, and
// destroyed before the loop; not by a task that it resumes.
class PipelinedConnection {
 public:
  PipelinedConnection(EventLoop& loop, Connection connection);
  ~PipelinedConnection() = default;
  PipelinedConnection(const PipelinedConnection&) = delete;
  PipelinedConnection& operator=(const PipelinedConnection&) = delete;

  // `append` adds one command to the connection. Calls `done` with its reply, never before it
  // returns. An error reply is a reply. Only while IsOpen().
  void Execute(const std::function<void(Connection&)>& append, SteadyTime deadline,
               Callback<Result<Reply>> done);

  bool IsOpen() const { return connection_.has_value(); }
  std::size_t InFlight() const { return in_flight_.size(); }

 private:
  struct Command {
    SteadyTime deadline;
    Callback<Result<Reply>> done;
  };

  void OnReady(unsigned events);
  Result<bool> Receive();
  void Flush();
  void PostFlush();
  void WatchDeadline(SteadyTime deadline);
  void OnDeadline(SteadyTime deadline);
  SteadyTime EarliestDeadline() const;
  void Close(const Error& error);

  EventLoop& loop_;
  std::optional<Connection> connection_;
  std::optional<FdWatcher> watcher_;  // destroyed before the connection
  std::deque<Command> in_flight_;     // in the order of their replies
  bool awaits_writable_ = false;
  bool flush_pending_ = false;
  std::optional<SteadyTime> next_check_;  // of the deadlines
  // Events of the loop do nothing after it has expired.
  const std::shared_ptr<PipelinedConnection*> self_ = std::make_shared<PipelinedConnection*>(this);
};

}  // namespace tocsin::redis
