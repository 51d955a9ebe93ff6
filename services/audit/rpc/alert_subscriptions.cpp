#include "services/audit/rpc/alert_subscriptions.h"

#include <algorithm>

#include "common/domain/alert/alert_projection.h"
#include "common/rpc/admission_gate.h"
#include "services/audit/query/alert_reader.h"
#include "services/audit/rpc/unary_request.h"

namespace tocsin::audit {

using postgres::Rows;
using postgres::Transaction;

AlertSubscriptions::AlertSubscriptions(postgres::Options database)
    : session_([&] {
        database.prefer_indexes = true;
        return std::move(database);
      }()),
      thread_([this] { Run(); }) {}

AlertSubscriptions::~AlertSubscriptions() { Close(); }

Result<AlertSubscriptions::Id> AlertSubscriptions::Add(const std::string& alert_id,
                                                       const std::string& client_id,
                                                       std::int64_t after_revision,
                                                       Listener listener) {
  const std::lock_guard lock(mutex_);
  if (closed_) return Fail(rpc::ShuttingDownError());
  if (subscriptions_.size() >= kMaxSubscriptions)
    return Fail(OverloadedError("too many alerts are watched"));
  const Id id = ++last_id_;
  subscriptions_.emplace(id,
                         Subscription{alert_id, client_id, after_revision, std::move(listener)});
  by_alert_[alert_id].insert(id);
  due_.insert(alert_id);
  changed_.notify_one();
  return id;
}

void AlertSubscriptions::Remove(Id id) {
  const std::lock_guard lock(mutex_);
  RemoveLocked(id);
}

void AlertSubscriptions::RemoveLocked(Id id) {
  const auto entry = subscriptions_.find(id);
  if (entry == subscriptions_.end()) return;
  const auto others = by_alert_.find(entry->second.alert_id);
  others->second.erase(id);
  if (others->second.empty()) {
    due_.erase(others->first);
    by_alert_.erase(others);
  }
  subscriptions_.erase(entry);
}

void AlertSubscriptions::Notify(const AlertIds& changed) {
  const std::lock_guard lock(mutex_);
  if (by_alert_.empty()) return;
  for (const std::string& id : changed)
    if (by_alert_.contains(id)) due_.insert(id);
  if (!due_.empty()) changed_.notify_one();
}

void AlertSubscriptions::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  EndAll(rpc::ShuttingDownError());
  if (thread_.joinable()) thread_.join();
}

size_t AlertSubscriptions::count() const {
  const std::lock_guard lock(mutex_);
  return subscriptions_.size();
}

void AlertSubscriptions::Run() {
  SteadyTime next_poll = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!closed_) {
    if (subscriptions_.empty())
      changed_.wait(lock);
    else if (due_.empty())
      changed_.wait_until(lock, next_poll);
    if (closed_ || subscriptions_.empty()) continue;
    lock.unlock();
    Status done = ReadDue();
    if (done && std::chrono::steady_clock::now() >= next_poll) {
      done = PollRevisions();
      next_poll = std::chrono::steady_clock::now() + kRevisionPollInterval;
    }
    if (!done) EndAll(done.error());  // clients retry, perhaps at a replica that can read
    lock.lock();
  }
}

// Finds alerts that other replicas changed.
Status AlertSubscriptions::PollRevisions() {
  std::map<std::string, std::int64_t> seen;  // the lowest of an alert's subscribers
  AlertIds ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, subscription] : subscriptions_) {
      const auto [entry, added] = seen.try_emplace(subscription.alert_id, subscription.revision);
      if (!added) entry->second = std::min(entry->second, subscription.revision);
    }
  }
  for (const auto& [id, revision] : seen) ids.insert(ids.end(), id);
  if (ids.empty()) return {};
  AlertIds changed;
  const Status read = session_.Run([&](Transaction& transaction) -> Status {
    changed.clear();
    TOCSIN_TRY(const Rows rows, transaction.Query("SELECT alert_id, revision FROM tocsin.alerts"
                                                  " WHERE alert_id = ANY ($1::uuid[])",
                                                  {postgres::TextArray(ids)}));
    for (size_t i = 0; i < rows.size(); ++i) {
      std::string id(rows.Text(i, 0));
      if (rows.Integer(i, 1) > seen[id]) changed.insert(std::move(id));
    }
    return {};
  });
  TOCSIN_CHECK_OK(read);
  Notify(changed);
  return {};
}

Status AlertSubscriptions::ReadDue() {
  AlertIds ids;
  {
    const std::lock_guard lock(mutex_);
    while (!due_.empty() && ids.size() < kAlertsPerRead) ids.insert(due_.extract(due_.begin()));
  }
  if (ids.empty()) return {};
  TOCSIN_TRY(Alerts alerts, ReadAlerts(session_, ids));
  Report(ids, std::move(alerts));
  return {};
}

void AlertSubscriptions::Report(const AlertIds& read, Alerts alerts) {
  std::vector<Notification> notifications;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& id : read) {
      const auto found = alerts.find(id);
      ReportAlert(id,
                  found == alerts.end()
                      ? nullptr
                      : std::make_shared<const v1::Alert>(std::move(found->second)),
                  notifications);
    }
  }
  for (const auto& [listener, update] : notifications) listener(update);
}

// With the lock held. `alert` is null if there is none.
void AlertSubscriptions::ReportAlert(const std::string& id,
                                     const std::shared_ptr<const v1::Alert>& alert,
                                     std::vector<Notification>& notifications) {
  const auto subscribed = by_alert_.find(id);
  if (subscribed == by_alert_.end()) return;
  const std::set<Id> subscription_ids = subscribed->second;
  for (const Id subscription_id : subscription_ids) {
    Subscription& subscription = subscriptions_.at(subscription_id);
    if (!alert || alert->client_id() != subscription.client_id) {
      notifications.emplace_back(subscription.listener, Fail(AlertNotFound(id)));
      RemoveLocked(subscription_id);
      continue;
    }
    Update update{.alert = nullptr, .is_final = IsEnd(alert->state())};
    if (alert->revision() > subscription.revision) {
      subscription.revision = alert->revision();
      update.alert = alert;
    }
    if (!update.alert && !update.is_final) continue;
    notifications.emplace_back(subscription.listener, update);
    if (update.is_final) RemoveLocked(subscription_id);
  }
}

void AlertSubscriptions::EndAll(const Error& error) {
  std::map<Id, Subscription> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(subscriptions_);
    by_alert_.clear();
    due_.clear();
  }
  for (const auto& [id, subscription] : ended) subscription.listener(Fail(error));
}

}  // namespace tocsin::audit
