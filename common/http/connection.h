// One client's connection: bytes in, one request at a time, answers out in order, and a deadline
// for each.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/http/counters.h"
#include "common/http/fd.h"
#include "common/http/message.h"
#include "common/http/request_parser.h"
#include "common/http/server.h"

namespace tocsin::http {

using Instant = std::chrono::steady_clock::time_point;

// A state machine over one non-blocking socket. It never blocks and never closes by itself: when
// Over(), its worker destroys it. For the worker's thread only.
class Connection {
 public:
  // What it waits for. Requests that were pipelined wait in the buffer until the answer before is
  // out.
  enum class Phase {
    kIdle,       // the first byte of a request
    kRequest,    // the rest of it
    kAnswering,  // the application
    kWriting,    // the client, to take its answer
    kLingering,  // the client, to close: the answer is out and nothing more is read but to be
                 // dropped
    kOver,
  };

  // `options` and `counters` outlive the connection.
  Connection(Fd socket, std::string peer_address, const ServerOptions& options, Counters& counters,
             Instant now);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void OnReadable(Instant now);
  void OnWritable(Instant now);
  void OnDeadline(Instant now);
  void OnDrain();  // closes if idle, otherwise after the request at hand

  // True when a request is whole; the caller takes it and answers it later, by its number.
  bool HasRequest() const { return phase_ != Phase::kOver && ready_; }
  Request TakeRequest(uint64_t number, Instant now);
  // False if that request has been answered otherwise, or is another connection's.
  bool TakesAnswer(uint64_t number) const;
  void SendAnswer(Response response, Instant now);

  int Socket() const { return socket_.get(); }
  bool Over() const { return phase_ == Phase::kOver; }
  Instant Deadline() const { return deadline_; }
  bool WantsToRead() const;
  bool WantsToWrite() const { return phase_ == Phase::kWriting && pieces_left_ == 0; }

 private:
  void Advance(Instant now);
  std::string_view Unread() const { return std::string_view(in_).substr(taken_); }
  void Refuse(const Refusal& refusal, Instant now);
  void ReadToDrop();
  void SendPiece(Instant now);
  void AfterAnswer(Instant now);
  void SendContinue();
  void WaitForRequest(Instant now);
  void CloseHard();  // with a reset: the kernel shall not keep an unread answer either

  const ServerOptions& options_;
  Counters& counters_;
  const std::string peer_address_;
  Fd socket_;
  RequestParser parser_;

  Phase phase_ = Phase::kIdle;
  Instant deadline_;
  Instant request_began_;
  std::string in_;    // received: at most one read beyond what a head may take
  size_t taken_ = 0;  // so much of it is consumed, and let go at the next read
  std::string out_;
  size_t sent_ = 0;
  size_t pieces_left_ = 0;  // of an answer that leaves slowly, each `pause_` after the one before
  std::chrono::milliseconds pause_{0};
  size_t dropped_ = 0;
  uint64_t number_ = 0;
  bool ready_ = false;
  bool used_ = false;           // a request has been taken from it
  bool head_only_ = false;      // the request at hand is HEAD
  bool close_after_ = false;    // the answer at hand is the last
  bool peer_finished_ = false;  // nothing more will come, but it may still read
  bool continue_sent_ = false;
};

}  // namespace tocsin::http
