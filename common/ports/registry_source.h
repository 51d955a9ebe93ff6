// The current registry snapshot. A reload replaces it as a whole.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "common/domain/registry/registry.h"

namespace tocsin {

// Safe to use from several threads; never blocks. A reader's snapshot stays valid while it holds
// it.
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
