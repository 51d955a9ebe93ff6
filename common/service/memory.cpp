#include "common/service/memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

#include "common/base/sleep.h"

namespace tocsin::service {
namespace {

constexpr int kMmapThreshold = 128 * 1024;         // bytes; larger blocks have pages of their own
constexpr std::size_t kChange = 3u * 1024 * 1024;  // bytes used or freed since the last trim
constexpr std::chrono::seconds kInterval{1};

std::size_t PageSize() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// Resident, in bytes; 0 if the system does not tell.
std::size_t AnonymousMemory() {
  std::size_t total = 0;
  std::size_t resident = 0;
  std::size_t shared = 0;
  std::ifstream("/proc/self/statm") >> total >> resident >> shared;
  return (resident - shared) * PageSize();
}

// The segments that a program never writes to: of one that it has written to, as the linker does
// for relocations, pages would be lost.
int ReleaseReadOnlySegments(dl_phdr_info* object, std::size_t, void*) {
  const std::uintptr_t page = PageSize();
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr + page - 1) & ~(page - 1);
    const std::uintptr_t end =
        (object->dlpi_addr + segment.p_vaddr + segment.p_memsz) & ~(page - 1);
    // Without effect on pages that are locked in memory.
    if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void LimitHeaps(int count) {
  mallopt(M_ARENA_MAX, count);
  mallopt(M_MMAP_THRESHOLD, kMmapThreshold);
}

bool HeapTrimmer::Trim() {
  if (AnonymousMemory() <= resident_ + kChange && mallinfo2().fordblks <= free_ + kChange)
    return false;
  malloc_trim(0);
  resident_ = AnonymousMemory();
  free_ = mallinfo2().fordblks;
  return true;
}

void ReleaseCode() { dl_iterate_phdr(&ReleaseReadOnlySegments, nullptr); }

MemoryReleaser::MemoryReleaser()
    : thread_([](const std::stop_token& stop) {
        const auto release_code_at = std::chrono::steady_clock::now() + kCodeReleaseDelay;
        HeapTrimmer heap;
        bool code_released = false;
        while (SleepFor(kInterval, stop)) {
          heap.Trim();
          if (code_released || std::chrono::steady_clock::now() < release_code_at) continue;
          ReleaseCode();
          code_released = true;
        }
      }) {}

}  // namespace tocsin::service
