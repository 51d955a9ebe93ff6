// What a process keeps in mind of what it did last.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace tocsin {

// Values by name; the oldest goes when there is no room. Safe to use from several threads.
template <typename Value>
class Recent {
 public:
  explicit Recent(size_t most) : most_(most) {}

  // False when there is one already: that one stays.
  bool Put(const std::string& name, Value value) {
    const std::lock_guard lock(mutex_);
    if (!values_.emplace(name, std::move(value)).second) return false;
    order_.push_back(name);
    if (order_.size() > most_) {
      values_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }
  std::optional<Value> Find(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  void Forget(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (values_.erase(name) > 0) std::erase(order_, name);
  }

 private:
  const size_t most_;
  mutable std::mutex mutex_;
  std::map<std::string, Value> values_;
  std::deque<std::string> order_;
};

}  // namespace tocsin
