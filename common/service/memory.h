// The memory of a service: what it does not need any more returns to the system. A program that
// links this library allocates by jemalloc, which returns free pages after a second.
#pragma once

#include <chrono>
#include <thread>

namespace tocsin::service {

constexpr std::chrono::seconds kCodeReleaseDelay{5};  // when the start is over

// Unmaps the pages of code and constants: those that only the start needed stay out, the others are
// mapped again, from the page cache, when they are used.
void ReleaseCode();

// Releases code once, `kCodeReleaseDelay` after its construction, on a thread of its own.
class CodeReleaser {
 public:
  CodeReleaser();

 private:
  std::jthread thread_;
};

}  // namespace tocsin::service
