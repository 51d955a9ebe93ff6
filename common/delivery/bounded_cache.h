// A bounded map that evicts the oldest entry.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace tocsin {

// Safe to use from several threads.
template <typename Value>
class BoundedCache {
 public:
  explicit BoundedCache(size_t capacity) : capacity_(capacity) {}

  // Returns false, and keeps the old value, if there is one under `key`.
  bool Put(const std::string& key, Value value) {
    const std::lock_guard lock(mutex_);
    if (!values_.emplace(key, std::move(value)).second) return false;
    order_.push_back(key);
    if (order_.size() > capacity_) {
      values_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }
  std::optional<Value> Find(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(key);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  void Erase(const std::string& key) {
    const std::lock_guard lock(mutex_);
    if (values_.erase(key) > 0) std::erase(order_, key);
  }

 private:
  const size_t capacity_;
  mutable std::mutex mutex_;
  std::map<std::string, Value> values_;
  std::deque<std::string> order_;
};

}  // namespace tocsin
