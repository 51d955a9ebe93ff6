// Task<T>: a coroutine that returns a T.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "common/base/result.h"

namespace tocsin {

template <typename T>
class Task;

namespace internal {

// Resumes the awaiting coroutine when the task ends. The transfer is symmetric: it uses no stack.
struct ResumeAwaiting {
  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
    return ended.promise().awaiting;
  }
  void await_resume() const noexcept {}
};

struct TaskPromiseBase {
  std::coroutine_handle<> awaiting = std::noop_coroutine();

  std::suspend_always initial_suspend() const noexcept { return {}; }
  ResumeAwaiting final_suspend() const noexcept { return {}; }
  // Errors are values: an exception that reaches a task is a broken invariant.
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

template <typename T>
struct TaskPromise : TaskPromiseBase {
  std::optional<T> value;

  Task<T> get_return_object();
  void return_value(T returned) { value.emplace(std::move(returned)); }
  T TakeValue() { return *std::move(value); }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void TakeValue() const noexcept {}
};

}  // namespace internal

// Starts when it is awaited, and runs on the thread that resumes it. Await it once, by
// `co_await Function(...)` or `co_await std::move(task)`. Its destructor ends a task that waits:
// the local variables of its coroutines are destroyed, and it is never resumed. Arguments that are
// references must outlive the task.
//
// GCC 12 miscompiles some temporary aggregates within a `co_await` expression: give arguments with
// braces a name first. It also miscompiles a `co_await` behind && or || in the condition of a loop:
// await in the body.
template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  auto operator co_await() && {
    struct Awaiter {
      Handle handle;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
        handle.promise().awaiting = awaiting;
        return handle;
      }
      T await_resume() const { return handle.promise().TakeValue(); }
    };
    return Awaiter{handle_};
  }

 private:
  Handle handle_;
};

namespace internal {

template <typename T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

}  // namespace internal
}  // namespace tocsin

// TOCSIN_TRY and TOCSIN_CHECK_OK in a coroutine that returns a Result.
//
//   TOCSIN_CO_TRY(const ClaimReply claim, co_await claims.Claim(request));
#define TOCSIN_CO_TRY(declaration, expression) \
  TOCSIN_CO_TRY_(TOCSIN_CONCAT(tocsin_result_, __LINE__), declaration, expression)
#define TOCSIN_CO_TRY_(result, declaration, expression)                              \
  auto result = (expression);                                                        \
  if (!result) co_return tl::unexpected<::tocsin::Error>(std::move(result).error()); \
  declaration = *std::move(result)

#define TOCSIN_CO_CHECK_OK(expression)                                             \
  do {                                                                             \
    if (auto tocsin_status = (expression); !tocsin_status)                         \
      co_return tl::unexpected<::tocsin::Error>(std::move(tocsin_status).error()); \
  } while (false)
