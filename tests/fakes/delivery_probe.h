// Records what the delivery core reports.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "common/delivery/probe.h"

namespace tocsin {

// Safe to use from several threads, except `on_dependency_error`, which is to be set before.
class FakeDeliveryProbe final : public DeliveryProbe {
 public:
  void OnSubmitted(v1::Priority priority, Micros latency) override {
    const std::lock_guard lock(mutex_);
    submitted_.emplace_back(priority, latency);
  }
  void OnDependencyError(const Error& error) override {
    {
      const std::lock_guard lock(mutex_);
      errors_.push_back(error.code);
    }
    if (on_dependency_error) on_dependency_error(error);
  }
  void OnReconciled(Finding finding) override {
    const std::lock_guard lock(mutex_);
    findings_.push_back(finding);
  }

  std::vector<std::pair<v1::Priority, Micros>> Submitted() const {
    const std::lock_guard lock(mutex_);
    return submitted_;
  }
  std::vector<ErrorCode> Errors() const {
    const std::lock_guard lock(mutex_);
    return errors_;
  }
  std::vector<Finding> Findings() const {
    const std::lock_guard lock(mutex_);
    return findings_;
  }

  std::function<void(const Error&)> on_dependency_error;

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<v1::Priority, Micros>> submitted_;
  std::vector<ErrorCode> errors_;
  std::vector<Finding> findings_;
};

}  // namespace tocsin
