// Objects by number, newest last. Bounded: the oldest are dropped and counted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace tocsin::sim {

// T has `number`, `to` and `previous_to` (number of the previous object with the same `to`, or 0).
template <typename T>
class NumberedStore {
 public:
  // Keeps the newest `keep`, at least one.
  explicit NumberedStore(size_t keep) : keep_(std::max<size_t>(keep, 1)) {}

  // Adds an object with the next number, from 1. References stay valid until the object is dropped.
  T& Add(const std::string& to) {
    if (kept_.size() >= keep_) DropOldest();
    T& added = kept_.emplace_back();
    added.number = Last();
    added.to = to;
    added.previous_to = std::exchange(last_to_[to], added.number);
    return added;
  }

  // Null for an unknown number and for a dropped object.
  const T* Find(std::uint64_t number) const {
    return number < first_ || number > Last() ? nullptr : &kept_[number - first_];
  }
  T* Mutable(std::uint64_t number) { return const_cast<T*>(std::as_const(*this).Find(number)); }

  std::uint64_t First() const { return first_; }  // the lowest number kept
  std::uint64_t Last() const { return first_ + kept_.size() - 1; }
  std::uint64_t LastTo(const std::string& to) const {  // 0 if there is none
    const auto found = last_to_.find(to);
    return found == last_to_.end() ? 0 : found->second;
  }
  std::uint64_t Dropped() const { return dropped_; }

  // Deletes all objects. Numbers continue unless `start_over`.
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
