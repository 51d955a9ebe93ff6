// How other threads reach a worker: events wait in its queue until its loop processes them.
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

// The response to one request. The descriptor may belong to another connection by now, so
// `request_number` (a worker never uses one twice) decides whether the response is still awaited.
struct PendingResponse {
  int fd;
  uint64_t request_number;
  Response response;
};

struct BeginDrain {};

using WorkerEvent = std::variant<NewConnection, PendingResponse, BeginDrain>;

// Many writers, one reader. Every possible writer shares ownership, so it outlives its worker. Its
// length is at most max_connections + max_in_flight: each of these pushes once.
class EventQueue {
 public:
  EventQueue();  // throws std::system_error if no eventfd is available

  // Thread-safe; never blocks for long. After Close() the event is destroyed instead.
  void Push(WorkerEvent event);

  // For the reader. PopAll() swaps the queue with `empty`; if the queue was empty, the next Push()
  // makes WakeupFd() readable. SuppressWakeup() prevents that while the reader is about to call
  // PopAll() anyway.
  void PopAll(std::vector<WorkerEvent>& empty);
  void SuppressWakeup();
  void Close();

  int WakeupFd() const { return wakeup_.get(); }
  void ClearWakeup() const;  // makes WakeupFd() unreadable

 private:
  const Fd wakeup_;  // eventfd
  std::mutex mutex_;
  std::vector<WorkerEvent> events_;
  bool wakeup_needed_ = true;
  bool closed_ = false;
};

}  // namespace tocsin::http
