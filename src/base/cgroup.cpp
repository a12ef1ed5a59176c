#include "base/cgroup.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace temper {
namespace {

using Folder = std::filesystem::path;

std::string first_line(const Folder& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

std::optional<int64_t> number_in(const Folder& file) {
  int64_t value = 0;
  if (!parse_number(trim(first_line(file)), value)) return std::nullopt;
  return value;
}

// "key value" lines, as in memory.stat.
int64_t value_of(const Folder& file, std::string_view wanted) {
  std::ifstream stream(file);
  std::string key;
  int64_t value = 0;
  while (stream >> key >> value) {
    if (key == wanted) return value;
  }
  return 0;
}

template <class Number>
void tighten(std::optional<Number>& limit, Number candidate) {
  limit = limit ? std::min(*limit, candidate) : candidate;
}

void read_memory(const Folder& folder, const char* limit_file, const char* used_file, const char* cache_key,
                 CgroupLimits& limits) {
  const std::optional<int64_t> limit = number_in(folder / limit_file), used = number_in(folder / used_file);
  if (!limit || !used) return;
  const int64_t droppable = value_of(folder / "memory.stat", cache_key);
  tighten(limits.free_memory, std::max<int64_t>(0, *limit - std::max<int64_t>(0, *used - droppable)));
}

void read_version_2(const Folder& folder, CgroupLimits& limits) {
  std::istringstream line(first_line(folder / "cpu.max"));  // "150000 100000" or "max 100000"
  double quota = 0, period = 0;
  if (line >> quota >> period && quota > 0 && period > 0) tighten(limits.cpus, quota / period);
  read_memory(folder, "memory.max", "memory.current", "inactive_file", limits);
}

void read_version_1_cpu(const Folder& folder, CgroupLimits& limits) {
  const int64_t quota = number_in(folder / "cpu.cfs_quota_us").value_or(-1);
  const int64_t period = number_in(folder / "cpu.cfs_period_us").value_or(0);
  if (quota > 0 && period > 0) tighten(limits.cpus, static_cast<double>(quota) / static_cast<double>(period));
}

void read_version_1_memory(const Folder& folder, CgroupLimits& limits) {
  read_memory(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", limits);
}

// From the group up to the mount. Inside a container the path may lead nowhere; the mount itself is then the
// group.
template <class Read>
void walk_up(const Folder& mount, std::string_view group, CgroupLimits& limits, Read&& read) {
  for (Folder path(group); path.has_relative_path(); path = path.parent_path())
    read(mount / path.relative_path(), limits);
  read(mount, limits);
}

}  // namespace

CgroupLimits cgroup_limits(const std::string& root, const std::string& membership) {
  CgroupLimits limits;
  std::ifstream stream(membership);
  for (std::string line; std::getline(stream, line);) {  // "4:cpu,cpuacct:/a/b", or "0::/a/b" for version 2
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1),
                      group = line.substr(second + 1);
    if (controllers.empty()) walk_up(root, group, limits, read_version_2);
    for (const std::string_view controller : split(controllers, ',')) {
      if (controller == "cpu") walk_up(Folder(root) / controllers, group, limits, read_version_1_cpu);
      if (controller == "memory") walk_up(Folder(root) / controllers, group, limits, read_version_1_memory);
    }
  }
  return limits;
}

}  // namespace temper
