#include "devices/pjrt/cache.h"

#include <fstream>

namespace temper::pjrt {

std::string processor_features() {
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("flags") || line.starts_with("Features")) return line;  // of the first
  }
  return {};
}

}  // namespace temper::pjrt
