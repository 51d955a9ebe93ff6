// One connection to Redis (RESP 2, over hiredis), used by one thread at a time.
#pragma once

#include <initializer_list>
#include <memory>
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

constexpr std::size_t kReplyLimit = 16u << 20;  // bytes of one exchange's answers

// All failures are kRedisUnavailable. After one the connection is not sound and is thrown away:
// what was asked may have been done, and an answer may still be under way.
class Connection {
 public:
  // Connects, gives the password, selects the database. Blocks until `deadline`, connect_limit at
  // most, and for as long as the resolver takes when the host is a name.
  static Result<Connection> Open(const Settings& settings, SteadyTime deadline);

  // Puts a command into the next exchange. Does not block.
  void Append(std::span<const std::string_view> words);
  void Append(std::initializer_list<std::string_view> words) {
    Append(std::span(words.begin(), words.size()));
  }

  // Sends what was appended and reads one answer for each, in order. Blocks until `deadline`. An
  // error that Redis answers is a reply.
  Result<std::vector<Reply>> Exchange(SteadyTime deadline);

  // One command alone. An error that Redis answers is a failure here.
  Result<Reply> Ask(std::initializer_list<std::string_view> words, SteadyTime deadline);

  // Whether it can be used again: nothing failed, and Redis has not hung up meanwhile. Does not
  // block.
  bool Sound() const;

 private:
  struct Closer {
    void operator()(redisContext* context) const;
  };

  explicit Connection(std::unique_ptr<redisContext, Closer> context)
      : context_(std::move(context)) {}
  Status SendAll(SteadyTime deadline);
  Result<Reply> ReadOne(SteadyTime deadline, std::size_t& budget);

  std::unique_ptr<redisContext, Closer> context_;
  std::string out_;
  std::size_t asked_ = 0;
  bool failed_ = false;
};

}  // namespace tocsin::redis
