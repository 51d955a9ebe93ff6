#include "common/service/memory.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "common/base/sleep.h"

// Read by jemalloc at the start of the process. glibc's malloc() keeps the free pages between
// blocks that are in use, and is slow for blocks of more than 1 KiB, such as the frame of a
// delivery. One arena, because each keeps free blocks of its own; threads cache blocks up to the
// size of libcurl's buffers. A thread of jemalloc's returns pages.
extern "C" {
extern const char* const malloc_conf;
const char* const malloc_conf =
    "narenas:1,tcache_max:16384,background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
}

namespace tocsin::service {
namespace {

// The segments that a program never writes to: of one that it has written to, as the linker does
// for relocations, pages would be lost.
int ReleaseReadOnlySegments(dl_phdr_info* object, std::size_t, void*) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
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

void ReleaseCode() { dl_iterate_phdr(&ReleaseReadOnlySegments, nullptr); }

CodeReleaser::CodeReleaser()
    : thread_([](const std::stop_token& stop) {
        if (SleepFor(kCodeReleaseDelay, stop)) ReleaseCode();
      }) {}

}  // namespace tocsin::service
