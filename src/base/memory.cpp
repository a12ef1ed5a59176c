#include "base/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <memory>
#include <string>

#include "base/cgroup.h"
#include "base/text.h"

namespace temper {
namespace {

// Of a line "VmHWM:     1234 kB"; -1 if there is none.
int64_t bytes_after(const char* file, std::string_view key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(key)) continue;
    std::string_view value = trim(std::string_view(line).substr(key.size()));
    if (value.ends_with(" kB")) value.remove_suffix(3);
    int64_t kilobytes = 0;
    return parse_number(trim(value), kilobytes) ? kilobytes * 1024 : -1;
  }
  return -1;
}

}  // namespace

int64_t resident_bytes() { return std::max<int64_t>(0, bytes_after("/proc/self/status", "VmRSS:")); }

int64_t peak_rss_bytes() { return std::max<int64_t>(0, bytes_after("/proc/self/status", "VmHWM:")); }

int64_t available_memory_bytes() {
  const int64_t unlimited = std::numeric_limits<int64_t>::max();
  const int64_t machine = bytes_after("/proc/meminfo", "MemAvailable:");
  return std::min(machine < 0 ? unlimited : machine, cgroup_limits().free_memory.value_or(unlimited));
}

void prefer_large_pages(void* block, int64_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr size_t kPage = size_t{1} << 21;
  auto left = static_cast<size_t>(bytes);
  if (std::align(kPage, kPage, block, left)) madvise(block, left / kPage * kPage, MADV_HUGEPAGE);
#endif
}

}  // namespace temper
