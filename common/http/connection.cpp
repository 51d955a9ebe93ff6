#include "common/http/connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace tocsin::http {
namespace {

constexpr size_t kReadChunk = 16 * 1024;
// After an error the rest of the request is read and discarded up to this size, because a reset
// could destroy the response before the client reads it.
constexpr size_t kMaxDiscarded = 1024 * 1024;
constexpr size_t kSlowPieces = 10;  // pieces of a slow response
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
      parser_({.header_bytes = options.max_header_bytes,
               .headers = options.max_headers,
               .body_bytes = options.max_body}),
      deadline_(now + options.header_timeout),  // not idle_timeout: a new connection must send
      request_start_(now) {}

Connection::~Connection() {
  socket_ = Fd();
  counters_.ConnectionClosed();
}

bool Connection::WantsToRead() const {
  if (peer_finished_ || phase_ == Phase::kClosed) return false;
  if (phase_ == Phase::kHandling || phase_ == Phase::kWriting) {
    return Unparsed().size() < options_.max_header_bytes;
  }
  return true;
}

void Connection::OnReadable(Instant now) {
  if (phase_ == Phase::kLingering) return ReadAndDiscard();
  if (!WantsToRead()) return;
  std::array<char, kReadChunk> buffer;
  const ssize_t got = Receive(socket_.get(), buffer);
  if (got < 0) {
    if (!WouldBlock()) phase_ = Phase::kClosed;
    return;
  }
  if (got == 0) {
    peer_finished_ = true;
    if (phase_ == Phase::kIdle) phase_ = Phase::kClosed;
    if (phase_ == Phase::kReading) Reject({400, Rejection::kMalformed}, now);
    return;
  }
  received_.erase(0, std::exchange(parsed_, 0));
  received_.append(buffer.data(), static_cast<size_t>(got));
  if (phase_ == Phase::kIdle || phase_ == Phase::kReading) Parse(now);
}

// Deadlines count from the first byte of the request, so that a client gains no time by sending
// slowly. Empty lines before the request line do not start a request.
void Connection::Parse(Instant now) {
  parsed_ += parser_.Consume(Unparsed());
  if (parser_.error()) return Reject(*parser_.error(), now);
  if (phase_ == Phase::kIdle && parser_.Started()) {
    phase_ = Phase::kReading;
    request_start_ = now;
    deadline_ = now + options_.header_timeout;
  }
  if (parser_.HeaderDone()) deadline_ = request_start_ + options_.body_timeout;
  if (parser_.Done()) {
    request_ready_ = true;
  } else if (parser_.ExpectsContinue() && !continue_sent_) {
    SendContinue();
  }
}

void Connection::SendContinue() {
  continue_sent_ = true;
  if (!Unparsed().empty()) return;  // the client did not wait for it (RFC 9110, 10.1.1)
  // There is no other output, so a full send buffer means that the client does not read.
  if (SendSome(socket_.get(), kContinue) != static_cast<ssize_t>(kContinue.size())) Reset();
}

void Connection::Reject(const ParseError& error, Instant now) {
  counters_.Rejected(error.reason);
  close_after_response_ = true;
  omit_body_ = false;
  SendResponse(Response{.status = error.status}, now);
}

Request Connection::TakeRequest(uint64_t number, Instant now) {
  request_ready_ = false;
  request_number_ = number;
  phase_ = Phase::kHandling;
  deadline_ = now + options_.response_timeout;
  if (!parser_.KeepAlive()) close_after_response_ = true;
  Request request = parser_.TakeRequest();
  request.peer_address = peer_address_;
  request.reused = std::exchange(reused_, true);
  omit_body_ = request.method == "HEAD";
  if (omit_body_) request.method = "GET";  // RFC 9110, 9.3.2: same response without the body
  return request;
}

bool Connection::AwaitsResponse(uint64_t number) const {
  return phase_ == Phase::kHandling && request_number_ == number;
}

void Connection::SendResponse(Response response, Instant now) {
  if (response.delivery == Delivery::kReset) return Reset();
  if (response.delivery == Delivery::kClose) {
    phase_ = Phase::kClosed;
    return;
  }
  if (peer_finished_ && Unparsed().empty()) close_after_response_ = true;
  output_ = Serialize(response, {.omit_body = omit_body_, .close = close_after_response_});
  counters_.Responded(response.status);
  sent_ = 0;
  phase_ = Phase::kWriting;
  if (response.delivery == Delivery::kSlow) {
    pieces_left_ = kSlowPieces;
    piece_interval_ = response.send_duration / kSlowPieces;
    return SendPiece(now);
  }
  deadline_ = now + options_.write_timeout;
  OnWritable(now);
}

// The last piece is the rest of the response; from then on the socket is polled again.
void Connection::SendPiece(Instant now) {
  if (--pieces_left_ == 0) {
    deadline_ = now + options_.write_timeout;
    return OnWritable(now);
  }
  deadline_ = now + piece_interval_;
  const std::string_view piece =
      std::string_view(output_).substr(sent_, output_.size() / kSlowPieces);
  const ssize_t sent = SendSome(socket_.get(), piece);
  if (sent > 0) sent_ += static_cast<size_t>(sent);
  if (sent < 0 && !WouldBlock()) phase_ = Phase::kClosed;
}

void Connection::OnWritable(Instant now) {
  if (!WantsToWrite()) return;
  while (sent_ < output_.size()) {
    const ssize_t sent = SendSome(socket_.get(), std::string_view(output_).substr(sent_));
    if (sent < 0) {
      if (!WouldBlock()) phase_ = Phase::kClosed;
      return;
    }
    sent_ += static_cast<size_t>(sent);
  }
  FinishResponse(now);
}

void Connection::FinishResponse(Instant now) {
  output_ = {};
  if (!close_after_response_) return WaitForRequest(now);
  if (peer_finished_) {
    phase_ = Phase::kClosed;
    return;
  }
  // Closing with unread input sends a reset, which can destroy the response (RFC 9112, 9.6).
  ::shutdown(socket_.get(), SHUT_WR);
  received_ = {};
  parsed_ = 0;
  phase_ = Phase::kLingering;
  deadline_ = now + options_.linger_timeout;
}

void Connection::WaitForRequest(Instant now) {
  parser_.Reset();
  continue_sent_ = false;
  phase_ = Phase::kIdle;
  deadline_ = now + options_.idle_timeout;
  if (!Unparsed().empty()) Parse(now);
  if (peer_finished_ && phase_ == Phase::kReading && !request_ready_) {
    Reject({400, Rejection::kMalformed}, now);
  }
  if (peer_finished_ && phase_ == Phase::kIdle) phase_ = Phase::kClosed;
}

void Connection::ReadAndDiscard() {
  std::array<char, kReadChunk> buffer;
  const ssize_t got = Receive(socket_.get(), buffer);
  if (got < 0 && WouldBlock()) return;
  if (got > 0) discarded_ += static_cast<size_t>(got);
  if (got <= 0 || discarded_ > kMaxDiscarded) phase_ = Phase::kClosed;
}

void Connection::OnDeadline(Instant now) {
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kLingering: phase_ = Phase::kClosed; return;
    case Phase::kReading: return Reject({408, Rejection::kRequestTimeout}, now);
    case Phase::kHandling: return Reject({503, Rejection::kResponseTimeout}, now);
    case Phase::kWriting:
      if (pieces_left_ > 0) return SendPiece(now);
      counters_.Rejected(Rejection::kWriteTimeout);
      return Reset();
    case Phase::kClosed: return;
  }
}

void Connection::OnDrain() {
  close_after_response_ = true;
  if (phase_ == Phase::kIdle) phase_ = Phase::kClosed;
}

void Connection::Reset() {
  const linger none{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  phase_ = Phase::kClosed;
}

}  // namespace tocsin::http
