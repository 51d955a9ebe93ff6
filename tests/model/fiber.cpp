#include "tests/model/fiber.h"

#include <cstdlib>
#include <utility>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

namespace tocsin::model {
namespace {

constexpr size_t kStack = 512 * 1024;  // bytes; unused pages cost nothing

thread_local Fiber* current = nullptr;
thread_local std::vector<std::unique_ptr<std::byte[]>> free_stacks;

std::unique_ptr<std::byte[]> TakeStack() {
  if (free_stacks.empty()) return std::unique_ptr<std::byte[]>(new std::byte[kStack]);
  auto stack = std::move(free_stacks.back());
  free_stacks.pop_back();
  return stack;
}

#ifdef __SANITIZE_ADDRESS__
void LeaveStack(void** shadow, const void* next, size_t size) {
  __sanitizer_start_switch_fiber(shadow, next, size);
}
void ArriveOnStack(void* shadow, const void** former, size_t* size) {
  __sanitizer_finish_switch_fiber(shadow, former, size);
}
#else
void LeaveStack(void**, const void*, size_t) {}
void ArriveOnStack(void*, const void**, size_t*) {}
#endif

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(TakeStack()) {
  if (getcontext(&own_) != 0) std::abort();
  own_.uc_stack.ss_sp = stack_.get();
  own_.uc_stack.ss_size = kStack;
  own_.uc_link = nullptr;
  makecontext(&own_, &Fiber::Enter, 0);
}

Fiber::~Fiber() {
  if (!ended_) std::abort();  // its stack still holds objects
  free_stacks.push_back(std::move(stack_));
}

Fiber* Fiber::Current() { return current; }

void Fiber::Resume() {
  current = this;
  void* shadow = nullptr;
  LeaveStack(&shadow, stack_.get(), kStack);
  swapcontext(&caller_, &own_);
  ArriveOnStack(shadow, nullptr, nullptr);
  current = nullptr;
}

void Fiber::Yield() {
  Fiber& self = *current;
  LeaveStack(&self.own_shadow_, self.caller_stack_, self.caller_size_);
  swapcontext(&self.own_, &self.caller_);
  ArriveOnStack(self.own_shadow_, &self.caller_stack_, &self.caller_size_);
}

void Fiber::Enter() {
  Fiber& self = *current;
  ArriveOnStack(nullptr, &self.caller_stack_, &self.caller_size_);
  self.body_();
  self.body_ = nullptr;
  self.ended_ = true;
  LeaveStack(nullptr, self.caller_stack_, self.caller_size_);
  swapcontext(&self.own_, &self.caller_);
  std::abort();  // an ended fiber was resumed
}

}  // namespace tocsin::model
