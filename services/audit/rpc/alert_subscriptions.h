// Notifies subscribers of every change of an alert, whichever replica projected it.
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
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/postgres/session.h"
#include "services/audit/projection/alert_writer.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

constexpr size_t kMaxSubscriptions = 10'000;
constexpr std::chrono::milliseconds kRevisionPollInterval{100};  // while there are subscriptions
constexpr size_t kAlertsPerRead = 200;                           // in one transaction

// One thread and one connection for all subscriptions. Changes by this process are read at once,
// those by other replicas are found by polling the revisions. Thread-safe.
class AlertSubscriptions {
 public:
  // A change of an alert.
  struct Update {
    std::shared_ptr<const v1::Alert> alert;  // null: final, and the subscriber has seen it
    bool is_final = false;                   // the last update
  };
  // Called on the thread of the subscriptions, with the alert if its revision is higher than the
  // one that the subscriber has seen, then after changes. Revisions increase; some may be skipped.
  // A final update and an error (kNotFound, kPostgresUnavailable, kShuttingDown) end the
  // subscription. Must not block.
  using Listener = std::function<void(const Result<Update>& update)>;
  using Id = std::uint64_t;

  explicit AlertSubscriptions(postgres::Options database);
  ~AlertSubscriptions();  // as Close()
  AlertSubscriptions(const AlertSubscriptions&) = delete;
  AlertSubscriptions& operator=(const AlertSubscriptions&) = delete;

  // Reports revisions after `after_revision`; kNotFound if the alert is not one of `client_id`.
  // Fails with kOverloaded if there are kMaxSubscriptions, with kShuttingDown after Close().
  Result<Id> Add(const std::string& alert_id, const std::string& client_id,
                 std::int64_t after_revision, Listener listener);

  // After it only a call of the listener that is in progress may still end.
  void Remove(Id id);

  // This process changed these alerts.
  void Notify(const AlertIds& changed);

  // Ends all subscriptions with kShuttingDown. Blocks for the statement in progress, whose result
  // may still be reported.
  void Close();

  size_t count() const;

 private:
  struct Subscription {
    std::string alert_id;
    std::string client_id;
    std::int64_t revision = 0;  // that the subscriber has seen
    Listener listener;
  };
  using Notification = std::pair<Listener, Result<Update>>;
  using Alerts = std::map<std::string, v1::Alert>;

  void Run();
  Status PollRevisions();
  Status ReadDue();
  void Report(const AlertIds& read, Alerts alerts);
  void ReportAlert(const std::string& id, const std::shared_ptr<const v1::Alert>& alert,
                   std::vector<Notification>& notifications);
  void EndAll(const Error& error);
  void RemoveLocked(Id id);

  postgres::Session session_;  // for the thread
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Id, Subscription> subscriptions_;
  std::map<std::string, std::set<Id>> by_alert_;
  AlertIds due_;  // to be read
  Id last_id_ = 0;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace tocsin::audit
