#include "common/http/connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace tocsin::http {
namespace {

constexpr size_t kReadChunk = 16 * 1024;
// How much of a refused request is read, only so that the client gets to see why before a reset.
constexpr size_t kMaxDropped = 1024 * 1024;
constexpr size_t kSlowPieces = 10;  // of an answer that leaves slowly
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK; }

ssize_t Receive(int socket, std::array<char, kReadChunk>& buffer) {
  ssize_t got = 0;
  do {
    got = ::recv(socket, buffer.data(), buffer.size(), 0);
  } while (got < 0 && errno == EINTR);
  return got;
}

ssize_t SendSome(int socket, std::string_view bytes) {
  ssize_t sent = 0;
  do {
    sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

}  // namespace

Connection::Connection(Fd socket, std::string peer_address, const ServerOptions& options,
                       Counters& counters, Instant now)
    : options_(options),
      counters_(counters),
      peer_address_(std::move(peer_address)),
      socket_(std::move(socket)),
      parser_({.head_bytes = options.max_header_bytes,
               .headers = options.max_headers,
               .body_bytes = options.max_body}),
      deadline_(now + options.header_timeout),  // whoever connects has something to say
      request_began_(now) {}

Connection::~Connection() {
  socket_ = Fd();
  counters_.ConnectionClosed();
}

bool Connection::WantsToRead() const {
  if (peer_finished_ || phase_ == Phase::kOver) return false;
  if (phase_ == Phase::kAnswering || phase_ == Phase::kWriting) {
    return Unread().size() < options_.max_header_bytes;
  }
  return true;
}

void Connection::OnReadable(Instant now) {
  if (phase_ == Phase::kLingering) return ReadToDrop();
  if (!WantsToRead()) return;
  std::array<char, kReadChunk> buffer;
  const ssize_t got = Receive(socket_.get(), buffer);
  if (got < 0) {
    if (!WouldBlock()) phase_ = Phase::kOver;
    return;
  }
  if (got == 0) {
    peer_finished_ = true;
    if (phase_ == Phase::kIdle) phase_ = Phase::kOver;
    if (phase_ == Phase::kRequest) Refuse({400, Rejection::kMalformed}, now);
    return;
  }
  in_.erase(0, std::exchange(taken_, 0));
  in_.append(buffer.data(), static_cast<size_t>(got));
  if (phase_ == Phase::kIdle || phase_ == Phase::kRequest) Advance(now);
}

// Feeds the parser what has come. The deadlines count from the request's first byte, so that
// dripping bytes wins a client no time.
void Connection::Advance(Instant now) {
  if (phase_ == Phase::kIdle) {
    phase_ = Phase::kRequest;
    request_began_ = now;
    deadline_ = now + options_.header_timeout;
  }
  taken_ += parser_.Consume(Unread());
  if (parser_.Refused()) return Refuse(*parser_.Refused(), now);
  if (parser_.HeadDone()) deadline_ = request_began_ + options_.body_timeout;
  if (parser_.Done()) {
    ready_ = true;
  } else if (parser_.WantsContinue() && !continue_sent_) {
    SendContinue();
  }
}

void Connection::SendContinue() {
  continue_sent_ = true;
  if (!Unread().empty()) return;  // the client did not wait for it (RFC 9110 10.1.1)
  // Nothing else is on its way out, so a socket without room for this is not being read at all.
  if (SendSome(socket_.get(), kContinue) != static_cast<ssize_t>(kContinue.size())) CloseHard();
}

void Connection::Refuse(const Refusal& refusal, Instant now) {
  counters_.Rejected(refusal.reason);
  close_after_ = true;
  head_only_ = false;
  SendAnswer(Response{.status = refusal.status}, now);
}

Request Connection::TakeRequest(uint64_t number, Instant now) {
  ready_ = false;
  number_ = number;
  phase_ = Phase::kAnswering;
  deadline_ = now + options_.answer_timeout;
  if (!parser_.KeepAlive()) close_after_ = true;
  Request request = parser_.TakeRequest();
  request.peer_address = peer_address_;
  request.reused = std::exchange(used_, true);
  head_only_ = request.method == "HEAD";
  return request;
}

bool Connection::TakesAnswer(uint64_t number) const {
  return phase_ == Phase::kAnswering && number_ == number;
}

void Connection::SendAnswer(Response response, Instant now) {
  if (response.delivery == Delivery::kReset) return CloseHard();
  if (response.delivery == Delivery::kClose) {
    phase_ = Phase::kOver;
    return;
  }
  if (peer_finished_ && Unread().empty()) close_after_ = true;
  out_ = Serialize(response, {.omit_body = head_only_, .close = close_after_});
  counters_.Answered(response.status);
  sent_ = 0;
  phase_ = Phase::kWriting;
  if (response.delivery == Delivery::kSlow) {
    pieces_left_ = kSlowPieces;
    pause_ = response.spread / kSlowPieces;
    return SendPiece(now);
  }
  deadline_ = now + options_.write_timeout;
  OnWritable(now);
}

// The last piece is all that is left, for whose sake the socket is watched again.
void Connection::SendPiece(Instant now) {
  if (--pieces_left_ == 0) {
    deadline_ = now + options_.write_timeout;
    return OnWritable(now);
  }
  deadline_ = now + pause_;
  const std::string_view piece = std::string_view(out_).substr(sent_, out_.size() / kSlowPieces);
  const ssize_t sent = SendSome(socket_.get(), piece);
  if (sent > 0) sent_ += static_cast<size_t>(sent);
  if (sent < 0 && !WouldBlock()) phase_ = Phase::kOver;
}

void Connection::OnWritable(Instant now) {
  if (!WantsToWrite()) return;
  while (sent_ < out_.size()) {
    const ssize_t sent = SendSome(socket_.get(), std::string_view(out_).substr(sent_));
    if (sent < 0) {
      if (!WouldBlock()) phase_ = Phase::kOver;
      return;
    }
    sent_ += static_cast<size_t>(sent);
  }
  AfterAnswer(now);
}

void Connection::AfterAnswer(Instant now) {
  out_ = {};
  if (!close_after_) return WaitForRequest(now);
  if (peer_finished_) {
    phase_ = Phase::kOver;
    return;
  }
  // Closing with bytes unread would send a reset that can overtake the answer (RFC 9112 9.6).
  ::shutdown(socket_.get(), SHUT_WR);
  in_ = {};
  taken_ = 0;
  phase_ = Phase::kLingering;
  deadline_ = now + options_.linger_timeout;
}

void Connection::WaitForRequest(Instant now) {
  parser_.Reset();
  continue_sent_ = false;
  phase_ = Phase::kIdle;
  deadline_ = now + options_.idle_timeout;
  if (!Unread().empty()) Advance(now);
  if (peer_finished_ && phase_ == Phase::kRequest && !ready_) {
    Refuse({400, Rejection::kMalformed}, now);
  }
  if (peer_finished_ && phase_ == Phase::kIdle) phase_ = Phase::kOver;
}

void Connection::ReadToDrop() {
  std::array<char, kReadChunk> buffer;
  const ssize_t got = Receive(socket_.get(), buffer);
  if (got < 0 && WouldBlock()) return;
  if (got > 0) dropped_ += static_cast<size_t>(got);
  if (got <= 0 || dropped_ > kMaxDropped) phase_ = Phase::kOver;
}

void Connection::OnDeadline(Instant now) {
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kLingering: phase_ = Phase::kOver; return;
    case Phase::kRequest: return Refuse({408, Rejection::kSlowRequest}, now);
    case Phase::kAnswering: return Refuse({503, Rejection::kNoAnswer}, now);
    case Phase::kWriting:
      if (pieces_left_ > 0) return SendPiece(now);
      counters_.Rejected(Rejection::kSlowReader);
      return CloseHard();
    case Phase::kOver: return;
  }
}

void Connection::OnDrain() {
  close_after_ = true;
  if (phase_ == Phase::kIdle) phase_ = Phase::kOver;
}

void Connection::CloseHard() {
  const linger none{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  phase_ = Phase::kOver;
}

}  // namespace tocsin::http
