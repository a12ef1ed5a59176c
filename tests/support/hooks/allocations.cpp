#include "support/hooks/allocations.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>

#include "support/sanitizers.h"

namespace {

std::atomic<bool> counting = false;
std::atomic<int64_t> own = 0, onednn = 0, onednn_most = 0, mapped = 0;
thread_local bool looking = false;  // the look itself may allocate

bool inside_onednn() {
  void* frames[32];
  const int depth = backtrace(frames, 32);
  for (int i = 0; i < depth; ++i) {
    Dl_info info;
    if (dladdr(frames[i], &info) && info.dli_fname && std::strstr(info.dli_fname, "libdnnl")) return true;
  }
  return false;
}

[[maybe_unused]] void note(size_t bytes) {
  if (!counting || looking) return;
  looking = true;
  if (inside_onednn()) {
    ++onednn;
    const auto found = static_cast<int64_t>(bytes);
    for (int64_t most = onednn_most; most < found && !onednn_most.compare_exchange_weak(most, found);) {
    }
  } else {
    ++own;
  }
  looking = false;
}

}  // namespace

#if TEST_SANITIZED
constexpr bool kHooked = false;
#else
constexpr bool kHooked = true;
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): the C library's own allocator has these names
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(size_t bytes) { return note(bytes), __libc_malloc(bytes); }
void* calloc(size_t n, size_t bytes) { return note(n * bytes), __libc_calloc(n, bytes); }
void* realloc(void* old, size_t bytes) { return note(bytes), __libc_realloc(old, bytes); }
void* memalign(size_t alignment, size_t bytes) { return note(bytes), __libc_memalign(alignment, bytes); }
void* aligned_alloc(size_t alignment, size_t bytes) { return note(bytes), __libc_memalign(alignment, bytes); }
int posix_memalign(void** result, size_t alignment, size_t bytes) {
  note(bytes);
  *result = __libc_memalign(alignment, bytes);
  return *result ? 0 : 12;  // ENOMEM
}
void* mmap(void* address, size_t bytes, int protection, int flags, int file, off_t offset) {
  mapped += counting;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel answers with an address or a small negative number
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}
}
#endif

namespace temper {

void start_counting_allocations() {
  void* frame;
  backtrace(&frame, 1);  // loads what it needs
  own = onednn = onednn_most = mapped = 0;
  counting = true;
}

Allocations stop_counting_allocations() {
  counting = false;
  return {.own = own, .onednn = onednn, .onednn_most = onednn_most, .mapped = mapped};
}

bool can_count_allocations() { return kHooked; }

}  // namespace temper
