#include "services/audit/alert_watch.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/domain/folding.h"
#include "common/rpc/door.h"
#include "services/audit/alert_reader.h"
#include "services/audit/call.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Transaction;

}  // namespace

AlertWatch::AlertWatch(postgres::Options database)
    : session_([&] {
        database.prefer_indexes = true;
        return std::move(database);
      }()),
      thread_([this] { Run(); }) {}

AlertWatch::~AlertWatch() { Close(); }

Result<AlertWatch::Ticket> AlertWatch::Add(const std::string& alert_id,
                                           const std::string& client_id, Told told) {
  const std::lock_guard lock(mutex_);
  if (closed_) return Fail(rpc::LeavingError());
  if (watchers_.size() >= kMaxWatchers) return Fail(Busy("too many watch"));
  const Ticket ticket = ++last_ticket_;
  watchers_.emplace(ticket, Watcher{alert_id, client_id, 0, std::move(told)});
  by_alert_[alert_id].insert(ticket);
  due_.insert(alert_id);
  changed_.notify_one();
  return ticket;
}

void AlertWatch::Remove(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  Forget(ticket);
}

// Holding the lock.
void AlertWatch::Forget(Ticket ticket) {
  const auto entry = watchers_.find(ticket);
  if (entry == watchers_.end()) return;
  const auto others = by_alert_.find(entry->second.alert_id);
  others->second.erase(ticket);
  if (others->second.empty()) {
    due_.erase(others->first);
    by_alert_.erase(others);
  }
  watchers_.erase(entry);
}

void AlertWatch::Wake(const AlertIds& changed) {
  const std::lock_guard lock(mutex_);
  if (by_alert_.empty()) return;
  for (const std::string& id : changed)
    if (by_alert_.contains(id)) due_.insert(id);
  if (!due_.empty()) changed_.notify_one();
}

void AlertWatch::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  Refuse(rpc::LeavingError());
  if (thread_.joinable()) thread_.join();
}

size_t AlertWatch::watching() const {
  const std::lock_guard lock(mutex_);
  return watchers_.size();
}

void AlertWatch::Run() {
  SteadyTime poll_at = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!closed_) {
    if (watchers_.empty())
      changed_.wait(lock);
    else if (due_.empty())
      changed_.wait_until(lock, poll_at);
    if (closed_ || watchers_.empty()) continue;
    lock.unlock();
    Status done = ReadDue();
    if (done && std::chrono::steady_clock::now() >= poll_at) {
      done = Poll();
      poll_at = std::chrono::steady_clock::now() + kWatchEvery;
    }
    if (!done) Refuse(done.error());  // they come again, and may meet a replica that can read
    lock.lock();
  }
}

// Finds what other replicas changed.
Status AlertWatch::Poll() {
  std::map<std::string, std::uint64_t> told;  // the least of an alert's watchers
  AlertIds ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [ticket, watcher] : watchers_) {
      const auto [entry, added] = told.try_emplace(watcher.alert_id, watcher.revision);
      if (!added) entry->second = std::min(entry->second, watcher.revision);
    }
  }
  for (const auto& [id, revision] : told) ids.insert(ids.end(), id);
  if (ids.empty()) return {};
  AlertIds newer;
  const Status read = session_.Run([&](Transaction& transaction) -> Status {
    newer.clear();
    TOCSIN_TRY(const Rows rows, transaction.Query("SELECT alert_id, revision FROM tocsin.alerts"
                                                  " WHERE alert_id = ANY ($1::uuid[])",
                                                  {IdArray(ids)}));
    for (size_t i = 0; i < rows.size(); ++i) {
      std::string id(rows.Text(i, 0));
      if (static_cast<std::uint64_t>(rows.Integer(i, 1)) > told[id]) newer.insert(std::move(id));
    }
    return {};
  });
  TOCSIN_CHECK_OK(read);
  Wake(newer);
  return {};
}

Status AlertWatch::ReadDue() {
  AlertIds ids;
  {
    const std::lock_guard lock(mutex_);
    while (!due_.empty() && ids.size() < kReadTogether) ids.insert(due_.extract(due_.begin()));
  }
  if (ids.empty()) return {};
  TOCSIN_TRY(auto alerts, ReadAlerts(session_, ids));
  Tell(ids, std::move(alerts));
  return {};
}

void AlertWatch::Tell(const AlertIds& read, std::map<std::string, v1::Alert> alerts) {
  std::vector<Call> calls;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& id : read) {
      const auto found = alerts.find(id);
      const Known alert = found == alerts.end()
                              ? nullptr
                              : std::make_shared<const v1::Alert>(std::move(found->second));
      const auto watching = by_alert_.find(id);
      if (watching == by_alert_.end()) continue;
      const std::set<Ticket> tickets = watching->second;
      for (const Ticket ticket : tickets) {
        Watcher& watcher = watchers_.at(ticket);
        const bool theirs = alert && alert->client_id() == watcher.client_id;
        if (!theirs) {
          calls.emplace_back(watcher.told, Fail(ErrorCode::kNotFound, "no such alert"));
          Forget(ticket);
        } else if (alert->revision() > watcher.revision) {
          watcher.revision = alert->revision();
          calls.emplace_back(watcher.told, alert);
          if (IsEnd(alert->state())) Forget(ticket);
        }
      }
    }
  }
  for (const auto& [told, result] : calls) told(result);
}

void AlertWatch::Refuse(const Error& error) {
  std::map<Ticket, Watcher> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(watchers_);
    by_alert_.clear();
    due_.clear();
  }
  for (const auto& [ticket, watcher] : left) watcher.told(Fail(error));
}

}  // namespace tocsin::audit
