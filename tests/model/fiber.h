// A function that can be suspended, with its own stack.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace tocsin::model {

// Runs blocking code concurrently on one thread. Not thread-safe: a fiber stays on the thread that
// created it. It must have ended before its destruction.
class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void Resume();        // until it yields or ends; not within a fiber
  static void Yield();  // returns to the caller of Resume(); only within a fiber
  bool Ended() const { return ended_; }
  static Fiber* Current();  // nullptr outside of fibers

 private:
  static void Enter();

  std::function<void()> body_;
  std::unique_ptr<std::byte[]> stack_;
  ucontext_t own_{};
  ucontext_t caller_{};
  // For AddressSanitizer, which must know the stacks.
  void* own_shadow_ = nullptr;
  const void* caller_stack_ = nullptr;
  size_t caller_size_ = 0;
  bool ended_ = false;
};

}  // namespace tocsin::model
