#pragma once
// Energy of the processor packages by the RAPL counters of the kernel's powercap interface.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace temper {

class EnergyMeter {
 public:
  explicit EnergyMeter(const std::string& root = "/sys/class/powercap");  // starts counting

  // Since construction; none if there is no counter or it may not be read (often root only). A counter that
  // wraps (about every minute of full load on large machines) is followed only if this is called at least
  // once per turn.
  std::optional<double> joules();

 private:
  struct Package {
    std::string counter_file;
    int64_t last = 0, range = 0;  // microjoules
  };
  std::vector<Package> packages_;
  int64_t total_ = 0;
};

}  // namespace temper
