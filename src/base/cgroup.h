#pragma once
// Limits that a container or a service manager puts on this process.
#include <cstdint>
#include <optional>
#include <string>

namespace temper {

struct CgroupLimits {
  std::optional<double> cpus;  // processor seconds per second
  std::optional<int64_t>
      free_memory;  // bytes until the limit, page cache that can be dropped counted as free
};

// The tightest over the process's group and those above it, versions 1 and 2. `root` is where groups are
// mounted, `membership` the file that says which this process is in.
CgroupLimits cgroup_limits(const std::string& root = "/sys/fs/cgroup",
                           const std::string& membership = "/proc/self/cgroup");

}  // namespace temper
