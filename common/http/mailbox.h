// How other threads reach a worker: what they bring waits in its mailbox until its loop comes
// round.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "common/http/fd.h"
#include "common/http/message.h"

namespace tocsin::http {

struct NewConnection {
  Fd socket;  // connected, non-blocking
  std::string peer_address;
};

// The answer to one request. A descriptor may be another connection's by the time the answer comes,
// so `request` (never used twice by a worker) decides whether it still has a taker.
struct Answer {
  int fd;
  uint64_t request;
  Response response;
};

struct BeginDrain {};

using Mail = std::variant<NewConnection, Answer, BeginDrain>;

// Many writers, one reader. Held by whoever may still write, so it outlives its worker. Its length
// is bounded by max_connections + max_in_flight: each of these posts once.
class Mailbox {
 public:
  Mailbox();  // throws std::system_error when no eventfd is to be had

  // From any thread, never blocks for long. After Close() the mail is destroyed instead.
  void Post(Mail mail);

  // The reader's side. Take() swaps the mail for `empty`; if there was none, the next Post() rings
  // the bell. StayAwake() puts that off for a reader that is going to Take() anyway.
  void Take(std::vector<Mail>& empty);
  void StayAwake();
  void Close();

  int Bell() const { return bell_.get(); }  // readable after a ring
  void Silence() const;                     // makes the bell unreadable again

 private:
  const Fd bell_;
  std::mutex mutex_;
  std::vector<Mail> mail_;
  bool asleep_ = true;
  bool closed_ = false;
};

}  // namespace tocsin::http
