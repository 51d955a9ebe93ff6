// The event loop of one thread: a Pistache reactor handler that owns its connections.
#pragma once

#include <pistache/reactor.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/http/connection.h"
#include "common/http/counters.h"
#include "common/http/event_queue.h"
#include "common/http/fd.h"
#include "common/http/server.h"

namespace tocsin::http {

// Shared by the workers of a server; outlives them.
struct Shared {
  ServerOptions options;
  Handler handler;
  std::shared_ptr<Counters> counters;  // also owned by the responders of requests in flight
};

// All members but Push() run on the thread of the reactor that cloned the worker.
class Worker final : public Pistache::Aio::Handler {
 public:
  explicit Worker(const Shared& shared);
  ~Worker() override;

  // Thread-safe, after the reactor has registered it.
  void Push(WorkerEvent event) { events_->Push(std::move(event)); }

  std::shared_ptr<Pistache::Aio::Handler> clone() const override;
  void registerPoller(Pistache::Polling::Epoll& poller) override;
  void onReady(const Pistache::Aio::FdSet& events) override;

 private:
  struct Entry {
    std::unique_ptr<Connection> connection;
    Pistache::Polling::NotifyOn interest;
  };

  void OnSocket(Entry& entry, bool readable, bool writable, bool hung_up);
  void ProcessEvents();
  void AddConnection(NewConnection added);
  void SendResponse(PendingResponse pending);
  void DrainAll();
  void CheckDeadlines();
  // After every step of a connection: dispatches a complete request, updates the poller, and
  // destroys the entry if the connection is closed.
  void Update(Entry& entry);
  void Dispatch(Connection& connection);

  const Shared& shared_;
  std::shared_ptr<EventQueue> events_;
  Fd timer_;
  std::unordered_map<int, Entry> connections_;
  std::vector<WorkerEvent> batch_;
  uint64_t next_request_ = 1;
  Instant now_;
};

}  // namespace tocsin::http
