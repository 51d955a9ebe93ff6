#include "common/redis/connection.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tocsin::redis {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

milliseconds TimeLeft(SteadyTime deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::max(left, milliseconds(0));
}

// Waits until the socket is ready for `events`, or until the deadline.
Status Await(int fd, short events, SteadyTime deadline) {
  while (true) {
    const milliseconds left = TimeLeft(deadline);
    pollfd polled{.fd = fd, .events = events, .revents = 0};
    const int ready = left.count() == 0 ? 0 : poll(&polled, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready == 0) return Fail(Unavailable("no reply within the timeout"));
    if (errno != EINTR) return Fail(Unavailable("connection failed"));
  }
}

Reply Convert(const redisReply& raw) {
  Reply reply;
  switch (raw.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      reply.kind = Reply::Kind::kText;
      reply.text.assign(raw.str, raw.len);
      break;
    case REDIS_REPLY_ERROR:
      reply.kind = Reply::Kind::kError;
      reply.text.assign(raw.str, raw.len);
      break;
    case REDIS_REPLY_INTEGER:
      reply.kind = Reply::Kind::kInteger;
      reply.integer = raw.integer;
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Reply::Kind::kList;
      reply.items.reserve(raw.elements);
      for (std::size_t i = 0; i < raw.elements; ++i)
        reply.items.push_back(Convert(*raw.element[i]));
      break;
    default: break;
  }
  return reply;
}

}  // namespace

void Connection::Closer::operator()(redisContext* context) const { redisFree(context); }

Result<Connection> Connection::Open(const Settings& settings, SteadyTime deadline) {
  const milliseconds wait = std::min(settings.connect_timeout, TimeLeft(deadline));
  if (wait.count() == 0) return Fail(Unavailable("no time left to connect"));
  const auto seconds = duration_cast<std::chrono::seconds>(wait);
  const timeval limit{.tv_sec = seconds.count(), .tv_usec = Micros(wait - seconds).count()};
  std::unique_ptr<redisContext, Closer> context(
      redisConnectWithTimeout(settings.host.c_str(), settings.port, limit));
  if (!context) return Fail(Unavailable("out of memory"));
  if (context->err != 0) return Fail(Unavailable(context->errstr));
  // This class reads and writes the socket itself: hiredis only limits the time of each system
  // call, and its writes raise SIGPIPE.
  if (fcntl(context->fd, F_SETFL, fcntl(context->fd, F_GETFL) | O_NONBLOCK) != 0 ||
      fcntl(context->fd, F_SETFD, FD_CLOEXEC) != 0)
    return Fail(Unavailable("cannot configure the socket"));

  Connection connection(std::move(context));
  if (!settings.password.empty()) {
    const std::string& password = settings.password.Reveal();
    TOCSIN_CHECK_OK(settings.user.empty()
                        ? connection.Execute({"AUTH", password}, deadline)
                        : connection.Execute({"AUTH", settings.user, password}, deadline));
  }
  if (settings.database != 0)
    TOCSIN_CHECK_OK(connection.Execute({"SELECT", std::to_string(settings.database)}, deadline));
  return connection;
}

void Connection::Append(std::span<const std::string_view> words) {
  out_ += '*';
  out_ += std::to_string(words.size());
  out_ += "\r\n";
  for (const std::string_view word : words) {
    out_ += '$';
    out_ += std::to_string(word.size());
    out_ += "\r\n";
    out_ += word;
    out_ += "\r\n";
  }
  ++pending_;
}

Result<std::vector<Reply>> Connection::Execute(SteadyTime deadline) {
  const std::size_t expected = pending_;
  failed_ = true;  // until every reply is read
  TOCSIN_CHECK_OK(SendAll(deadline));
  std::vector<Reply> replies;
  replies.reserve(expected);
  while (replies.size() < expected) {
    TOCSIN_TRY(Reply reply, ReadReply(deadline));
    replies.push_back(std::move(reply));
  }
  failed_ = false;
  return replies;
}

Result<Reply> Connection::Execute(std::initializer_list<std::string_view> words,
                                  SteadyTime deadline) {
  Append(words);
  TOCSIN_TRY(std::vector<Reply> replies, Execute(deadline));
  if (replies.front().IsError()) return Fail(ErrorOf(replies.front()));
  return std::move(replies.front());
}

bool Connection::IsUsable() const {
  if (failed_ || pending_ != 0) return false;
  // No reply is expected, so readable data is the end of the connection or a protocol error.
  pollfd polled{.fd = context_->fd, .events = POLLIN, .revents = 0};
  return poll(&polled, 1, 0) == 0;
}

int Connection::fd() const { return context_->fd; }

Status Connection::SendAll(SteadyTime deadline) {
  while (true) {
    TOCSIN_TRY(const bool sent, Send());
    if (sent) return {};
    TOCSIN_CHECK_OK(Await(context_->fd, POLLOUT, deadline));
  }
}

Result<Reply> Connection::ReadReply(SteadyTime deadline) {
  while (true) {
    TOCSIN_TRY(std::optional<Reply> reply, NextReply());
    if (reply) return *std::move(reply);
    TOCSIN_TRY(const bool received, Receive());
    if (!received) TOCSIN_CHECK_OK(Await(context_->fd, POLLIN, deadline));
  }
}

Result<bool> Connection::Send() {
  while (sent_ < out_.size()) {
    const ssize_t written =
        send(context_->fd, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (written >= 0) {
      sent_ += static_cast<std::size_t>(written);
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      return Fail(Unavailable("connection lost"));
    }
  }
  out_.clear();
  sent_ = 0;
  return true;
}

Result<bool> Connection::Receive() {
  std::array<char, kReadChunk> chunk;
  while (true) {
    const ssize_t received = recv(context_->fd, chunk.data(), chunk.size(), 0);
    if (received > 0) {
      received_ += static_cast<std::size_t>(received);
      if (received_ > kReplyLimit) return Fail(Unavailable("reply too long"));
      redisReaderFeed(context_->reader, chunk.data(), static_cast<std::size_t>(received));
      return true;
    }
    if (received == 0) return Fail(Unavailable("connection closed by the server"));
    if (errno == EAGAIN) return false;
    if (errno != EINTR) return Fail(Unavailable("connection lost"));
  }
}

Result<std::optional<Reply>> Connection::NextReply() {
  void* raw = nullptr;
  if (redisReaderGetReply(context_->reader, &raw) != REDIS_OK)
    return Fail(Unavailable("protocol error"));
  if (raw == nullptr) return std::optional<Reply>();
  const std::unique_ptr<void, void (*)(void*)> owned(raw, freeReplyObject);
  if (pending_ == 0) return Fail(Unavailable("unexpected reply"));
  --pending_;
  received_ = 0;
  Reply reply = Convert(*static_cast<const redisReply*>(raw));
  // Redis became a replica: a new connection leads to the new master, or is refused.
  if (reply.IsError("READONLY")) return Fail(ErrorOf(reply));
  return std::optional(std::move(reply));
}

}  // namespace tocsin::redis
