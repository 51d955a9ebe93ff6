// A bounded map that evicts the oldest entry.
#pragma once

#include <cstddef>
#include <iterator>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
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
    if (places_.contains(key)) return false;
    entries_.emplace_back(key, std::move(value));
    places_.emplace(entries_.back().first, std::prev(entries_.end()));
    if (entries_.size() > capacity_) Remove(entries_.begin());
    return true;
  }
  std::optional<Value> Find(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(key);
    return found == places_.end() ? std::nullopt : std::optional(found->second->second);
  }
  void Erase(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(key);
    if (found != places_.end()) Remove(found->second);
  }

 private:
  using Entries = std::list<std::pair<const std::string, Value>>;

  void Remove(typename Entries::iterator entry) {
    places_.erase(entry->first);
    entries_.erase(entry);
  }

  const size_t capacity_;
  mutable std::mutex mutex_;
  Entries entries_;  // the oldest first
  std::unordered_map<std::string_view, typename Entries::iterator> places_;
};

}  // namespace tocsin
