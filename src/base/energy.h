#pragma once
// Energy that this machine's own counters say was taken: of the processor packages (RAPL in the kernel's
// powercap interface, else the sockets that hwmon counts), or of a battery that discharges.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace temper {

class EnergyMeter {
 public:
  explicit EnergyMeter(const std::string& sys = "/sys");  // starts counting

  // Since construction; none if no counter answers. A counter that wraps (about every minute of full load on
  // large machines) is followed only if this is called at least once per turn.
  std::optional<double> joules();

  // Counts this, too, from now on, if it answers: a counter of a device's own that only rises.
  void add(const std::string& source, std::function<std::optional<double>()> joules);

  const std::string& source() const { return source_; }  // "RAPL, /sys/class/powercap"; empty: none answers
  const std::string& why() const { return why_; }        // why none does; empty if one does

 private:
  struct Counter {
    std::string file;
    int64_t last = 0, range = 0;  // as the file counts; range: where it begins again, 0: never
  };
  bool add(const std::string& file, int64_t range);
  void find_packages(const std::string& folder);
  void find_sockets(const std::string& folder);
  void find_battery(const std::string& folder);

  struct Other {
    std::function<std::optional<double>()> joules;
    double first = 0;
  };

  std::vector<Counter> counters_;
  std::vector<Other> others_;
  double joules_per_count_ = 1e-6;
  bool falls_ = false;  // counts what is left
  double total_ = 0;
  std::string source_, why_;
};

}  // namespace temper
