// A function that can stop in the middle and go on later, on a stack of its own.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace tocsin::model {

// Lets code that blocks run among others on one thread. Not thread-safe: a fiber stays with the
// thread that made it. It must have ended when it is destroyed.
class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void Resume();        // until it yields or ends; not from within a fiber
  static void Yield();  // back to who resumed it; only from within a fiber
  bool Ended() const { return ended_; }
  static Fiber* Current();  // nullptr outside of all

 private:
  static void Enter();

  std::function<void()> body_;
  std::unique_ptr<std::byte[]> stack_;
  ucontext_t own_{};
  ucontext_t caller_{};
  // What AddressSanitizer has to know to follow a change of stacks.
  void* own_shadow_ = nullptr;
  const void* caller_stack_ = nullptr;
  size_t caller_size_ = 0;
  bool ended_ = false;
};

}  // namespace tocsin::model
