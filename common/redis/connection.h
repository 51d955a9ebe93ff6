// One connection to Redis (RESP 2, hiredis).
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/redis/reply.h"
#include "common/redis/settings.h"

struct redisContext;

namespace tocsin::redis {

constexpr std::size_t kReplyLimit = 16u << 20;  // bytes of one reply
constexpr std::size_t kReadChunk = 64u << 10;

// Blocking with Execute(), or driven by a loop with Send(), Receive() and NextReply(). Used by one
// thread at a time. All failures are kRedisUnavailable. After a failure the connection is not
// usable any more: the commands may have been executed, and replies may still arrive.
class Connection {
 public:
  // Connects, authenticates, selects the database. Blocks until `deadline` and for connect_timeout
  // at most; longer if a host name must be resolved.
  static Result<Connection> Open(const Settings& settings, SteadyTime deadline);

  // Adds a command to the pipeline. Does not block.
  void Append(std::span<const std::string_view> words);
  void Append(std::initializer_list<std::string_view> words) {
    Append(std::span(words.begin(), words.size()));
  }

  // Sends the pipeline and reads one reply per command, in order. Blocks until `deadline`. An error
  // reply is returned as a reply.
  Result<std::vector<Reply>> Execute(SteadyTime deadline);

  // Executes a single command. An error reply is a failure.
  Result<Reply> Execute(std::initializer_list<std::string_view> words, SteadyTime deadline);

  // False after a failure, or if Redis has closed the connection. Does not block.
  bool IsUsable() const;

  // Sends what the socket takes of the pipeline. Does not block. Returns true if all of it is sent.
  Result<bool> Send();

  // Reads what has arrived, kReadChunk bytes at most. Does not block. Returns false if nothing has.
  Result<bool> Receive();

  // The next reply among those that were received; nothing if it is not complete. Fails if Redis
  // refuses a write because it has become a replica.
  Result<std::optional<Reply>> NextReply();

  int fd() const;

 private:
  struct Closer {
    void operator()(redisContext* context) const;
  };

  explicit Connection(std::unique_ptr<redisContext, Closer> context)
      : context_(std::move(context)) {}
  Status SendAll(SteadyTime deadline);
  Result<Reply> ReadReply(SteadyTime deadline);

  std::unique_ptr<redisContext, Closer> context_;
  std::string out_;
  std::size_t sent_ = 0;      // bytes of out_
  std::size_t received_ = 0;  // bytes since the last complete reply
  std::size_t pending_ = 0;   // commands without a reply
  bool failed_ = false;
};

}  // namespace tocsin::redis
