// The connection of one client: one request at a time, responses in order, a deadline for each
// phase.
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

// A state machine over one non-blocking socket. Never blocks. Its worker destroys it when Closed().
// For the worker's thread only.
class Connection {
 public:
  // What it waits for. Pipelined requests stay in the buffer until the previous response is
  // written.
  enum class Phase {
    kIdle,       // the first byte of a request
    kReading,    // the rest of the request
    kHandling,   // the response of the handler
    kWriting,    // the client to read the response
    kLingering,  // the client to close; what it still sends is discarded
    kClosed,
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
  void OnDrain();  // closes now if idle, otherwise after the current request

  // Whether a complete request was received. The caller takes it and responds later, by its number.
  bool HasRequest() const { return phase_ != Phase::kClosed && request_ready_; }
  Request TakeRequest(uint64_t number, Instant now);
  // False if the request already has a response or belongs to another connection.
  bool AwaitsResponse(uint64_t number) const;
  void SendResponse(Response response, Instant now);

  int Socket() const { return socket_.get(); }
  bool Closed() const { return phase_ == Phase::kClosed; }
  Instant Deadline() const { return deadline_; }
  bool WantsToRead() const;
  bool WantsToWrite() const { return phase_ == Phase::kWriting && pieces_left_ == 0; }

 private:
  void Parse(Instant now);
  std::string_view Unparsed() const { return std::string_view(received_).substr(parsed_); }
  void Reject(const ParseError& error, Instant now);
  void ReadAndDiscard();
  void SendPiece(Instant now);
  void FinishResponse(Instant now);
  void SendContinue();
  void WaitForRequest(Instant now);
  void Reset();  // closes with a TCP reset, so that the kernel discards unread output

  const ServerOptions& options_;
  Counters& counters_;
  const std::string peer_address_;
  Fd socket_;
  RequestParser parser_;

  Phase phase_ = Phase::kIdle;
  Instant deadline_;
  Instant request_start_;
  std::string received_;  // at most max_header_bytes and one read
  size_t parsed_ = 0;     // bytes of received_ that are parsed; erased at the next read
  std::string output_;
  size_t sent_ = 0;         // bytes of output_
  size_t pieces_left_ = 0;  // of a slow response
  std::chrono::milliseconds piece_interval_{0};
  size_t discarded_ = 0;  // bytes
  uint64_t request_number_ = 0;
  bool request_ready_ = false;
  bool reused_ = false;                // a request was taken from it
  bool omit_body_ = false;             // the current request is HEAD
  bool close_after_response_ = false;  // the current response is the last
  bool peer_finished_ = false;         // the client shut down its sending side
  bool continue_sent_ = false;
};

}  // namespace tocsin::http
