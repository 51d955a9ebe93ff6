// The loop of one thread: a Pistache reactor handler that owns the connections given to it.
#pragma once

#include <pistache/reactor.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/http/connection.h"
#include "common/http/counters.h"
#include "common/http/fd.h"
#include "common/http/mailbox.h"
#include "common/http/server.h"

namespace tocsin::http {

// What the workers of a server share. Outlives them.
struct Shared {
  ServerOptions options;
  Handler handler;
  std::shared_ptr<Counters> counters;  // the responders of unanswered requests hold it too
};

// All members but post() run on the thread of the reactor that cloned the worker.
class Worker final : public Pistache::Aio::Handler {
 public:
  explicit Worker(const Shared& shared);
  ~Worker() override;

  // From any thread, once the reactor has it.
  void Post(Mail mail) { mailbox_->Post(std::move(mail)); }

  std::shared_ptr<Pistache::Aio::Handler> clone() const override;
  void registerPoller(Pistache::Polling::Epoll& poller) override;
  void onReady(const Pistache::Aio::FdSet& events) override;

 private:
  struct Entry {
    std::unique_ptr<Connection> connection;
    Pistache::Polling::NotifyOn interest;
  };

  void OnSocket(Entry& entry, bool readable, bool writable, bool hung_up);
  void ReadMail();
  void Open(NewConnection arrival);
  void Deliver(Answer answer);
  void DrainAll();
  void Sweep();
  // After every step: hands a whole request over, tells the poller what is awaited now, and
  // destroys the entry when its connection is over.
  void Settle(Entry& entry);
  void HandOver(Connection& connection);

  const Shared& shared_;
  std::shared_ptr<Mailbox> mailbox_;
  Fd ticker_;
  std::unordered_map<int, Entry> connections_;
  std::vector<Mail> mail_;
  uint64_t next_request_ = 1;
  Instant now_;
};

}  // namespace tocsin::http
