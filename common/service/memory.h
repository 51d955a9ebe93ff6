// The memory of a service: what it does not need any more returns to the system.
#pragma once

#include <chrono>
#include <cstddef>
#include <thread>

namespace tocsin::service {

// Lets all threads share `count` heaps (arenas of malloc()), and large blocks return to the system
// when they are freed. Each thread of gRPC and librdkafka would otherwise keep a heap as large as
// its peak. More heaps are faster if many threads allocate at the same time. Call it before there
// are threads.
void LimitHeaps(int count);

// Unmaps the pages of code and constants: those that only the start needed stay out, the others are
// mapped again, from the page cache, when they are used.
void ReleaseCode();

// Returns the free pages of the heap to the system. A burst leaves them between blocks that are in
// use, where free() keeps them.
class HeapTrimmer {
 public:
  // Does nothing until a few MiB are used or freed since the last time. The heap is locked
  // meanwhile, for some ms after a large burst. Returns whether the heap was trimmed.
  bool Trim();

 private:
  std::size_t resident_ = 0;  // after the last time, bytes
  std::size_t free_ = 0;
};

constexpr std::chrono::seconds kCodeReleaseDelay{5};  // when the start is over

// On a thread of its own: trims the heap once per second, and releases code once.
class MemoryReleaser {
 public:
  MemoryReleaser();

 private:
  std::jthread thread_;
};

}  // namespace tocsin::service
