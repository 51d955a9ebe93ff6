// What the simulator has made, by number, newest last: bounded, the oldest dropped and counted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace tocsin::sim {

// T has `number`, `previous_to` (the one before it to the same number, or 0) and `to`.
template <typename T>
class Shelf {
 public:
  // Keeps the newest `keep`, one at least.
  explicit Shelf(size_t keep) : keep_(std::max<size_t>(keep, 1)) {}

  // A new one to that number, numbered from 1 on. References to others stay good unless they are
  // dropped.
  T& Add(const std::string& to) {
    if (kept_.size() >= keep_) DropOldest();
    T& added = kept_.emplace_back();
    added.number = Last();
    added.to = to;
    added.previous_to = std::exchange(last_to_[to], added.number);
    return added;
  }

  // Nothing for a number that was never given or whose record has been dropped.
  const T* Find(std::uint64_t number) const {
    return number < first_ || number > Last() ? nullptr : &kept_[number - first_];
  }
  T* Mutable(std::uint64_t number) { return const_cast<T*>(std::as_const(*this).Find(number)); }

  std::uint64_t First() const { return first_; }  // the lowest number kept
  std::uint64_t Last() const { return first_ + kept_.size() - 1; }
  std::uint64_t LastTo(const std::string& to) const {  // 0 when there is none
    const auto found = last_to_.find(to);
    return found == last_to_.end() ? 0 : found->second;
  }
  std::uint64_t Dropped() const { return dropped_; }

  // Forgets all. Numbers go on unless `start_over`.
  void Clear(bool start_over) {
    first_ = start_over ? 1 : Last() + 1;
    kept_.clear();
    last_to_.clear();
    dropped_ = 0;
  }

 private:
  void DropOldest() {
    const T& oldest = kept_.front();
    const auto found = last_to_.find(oldest.to);
    if (found != last_to_.end() && found->second == oldest.number) last_to_.erase(found);
    kept_.pop_front();
    ++first_;
    ++dropped_;
  }

  size_t keep_;
  std::deque<T> kept_;
  std::uint64_t first_ = 1;
  std::uint64_t dropped_ = 0;
  std::unordered_map<std::string, std::uint64_t> last_to_;
};

}  // namespace tocsin::sim
