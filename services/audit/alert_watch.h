// Tells those who watch alerts of every change, whichever replica folded it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/postgres/session.h"
#include "services/audit/alert_tables.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

constexpr size_t kMaxWatchers = 10'000;
constexpr std::chrono::milliseconds kWatchEvery{100};  // the table of revisions, while one watches
constexpr size_t kReadTogether = 200;                  // alerts read by one transaction

// One thread and one connection for all watchers. What this process folds wakes it at once; what
// others fold it finds in the table. Thread-safe.
class AlertWatch {
 public:
  using Known = std::shared_ptr<const v1::Alert>;
  // Called on the watch's thread with the alert as it is, then after each change of which it can
  // tell: revisions rise, some may be passed over. The terminal state, and an error (kNotFound,
  // kPostgresUnavailable, kOverloaded), are the last call. Must not block.
  using Told = std::function<void(const Result<Known>& alert)>;
  using Ticket = std::uint64_t;

  explicit AlertWatch(postgres::Options database);
  ~AlertWatch();  // as Close()
  AlertWatch(const AlertWatch&) = delete;
  AlertWatch& operator=(const AlertWatch&) = delete;

  // `told` hears kNotFound when the alert is not `client_id`'s. kOverloaded when too many watch, or
  // the watch is closed.
  Result<Ticket> Add(const std::string& alert_id, const std::string& client_id, Told told);

  // Afterwards `told` is called no more, but for a call under way.
  void Remove(Ticket ticket);

  // These were changed here.
  void Wake(const AlertIds& changed);

  // All who watch hear kOverloaded, at once. Then blocks for the statement under way, which may
  // still tell what it read to those who heard it.
  void Close();

  size_t watching() const;

 private:
  struct Watcher {
    std::string alert_id;
    std::string client_id;
    std::uint64_t revision = 0;  // told last; 0 before the first
    Told told;
  };
  using Call = std::pair<Told, Result<Known>>;

  void Run();
  Status Poll();
  Status ReadDue();
  void Tell(const AlertIds& read, std::map<std::string, v1::Alert> alerts);
  void Refuse(const Error& error);
  void Forget(Ticket ticket);

  postgres::Session session_;  // of the thread
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Ticket, Watcher> watchers_;
  std::map<std::string, std::set<Ticket>> by_alert_;
  AlertIds due_;  // to be read
  Ticket last_ticket_ = 0;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace tocsin::audit
