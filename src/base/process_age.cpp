#include "base/process_age.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>

#include "base/text.h"

namespace temper {

double process_age_seconds() {
  std::ifstream stream("/proc/self/stat");
  const std::string line{std::istreambuf_iterator<char>(stream), {}};
  const size_t name_end = line.rfind(')');  // the second field, the only one that may hold spaces
  timespec now = {};
  if (name_end == std::string::npos || clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0;
  const std::vector<std::string_view> fields = split(std::string_view(line).substr(name_end + 2), ' ');
  constexpr size_t kStartTime = 22 - 3;  // proc(5) counts from 1, `fields` begins at its third
  int64_t ticks = 0;
  if (fields.size() <= kStartTime || !parse_number(fields[kStartTime], ticks)) return 0;
  const double start = static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return std::max(0.0, static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 - start);
}

}  // namespace temper
