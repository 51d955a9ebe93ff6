// The snapshot everybody reads, swapped whole.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "common/domain/registry.h"

namespace tocsin {

// Thread-safe; never blocks. A reader keeps the snapshot it took for as long as it holds it.
class RegistrySource {
 public:
  explicit RegistrySource(std::shared_ptr<const RegistrySnapshot> first)
      : snapshot_(std::move(first)) {}

  std::shared_ptr<const RegistrySnapshot> Now() const { return snapshot_.load(); }
  void Swap(std::shared_ptr<const RegistrySnapshot> next) { snapshot_.store(std::move(next)); }

 private:
  std::atomic<std::shared_ptr<const RegistrySnapshot>> snapshot_;
};

}  // namespace tocsin
