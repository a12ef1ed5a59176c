#include "base/energy.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/text.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

std::optional<int64_t> read_number(const fs::path& file) {
  std::ifstream stream(file);
  int64_t value = 0;
  if (!(stream >> value)) return std::nullopt;
  return value;
}

std::string read_word(const fs::path& file) {
  std::string word;
  std::ifstream(file) >> word;
  return word;
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder, absent)) found.push_back(entry.path());
  std::ranges::sort(found);
  return found;
}

bool is_package(const fs::path& zone) {
  const std::string name = zone.filename().string();
  return name.starts_with("intel-rapl:") &&
         std::count(name.begin(), name.end(), ':') == 1 &&  // no part of one
         read_word(zone / "name").starts_with("package");   // nor psys, which counts the packages again
}

}  // namespace

EnergyMeter::EnergyMeter(const std::string& sys) {
  const fs::path classes = fs::path(sys) / "class";
  find_packages((classes / "powercap").string());
  if (counters_.empty()) find_sockets((classes / "hwmon").string());
  if (counters_.empty()) find_battery((classes / "power_supply").string());
  if (!counters_.empty()) {
    why_.clear();
  } else if (why_.empty()) {
    why_ = concat("no energy counter: ", (classes / "powercap").string(),
                  " has no package, hwmon no socket, and no battery discharges");
  }
}

// A counter that is there but may not be read says so, unless another answers.
bool EnergyMeter::add(const std::string& file, int64_t range) {
  if (const std::optional<int64_t> now = read_number(file)) {
    counters_.push_back({file, *now, range});
    return true;
  }
  std::error_code error;
  if (fs::exists(file, error)) why_ = concat(file, " may not be read (often only by root)");
  return false;
}

void EnergyMeter::find_packages(const std::string& folder) {
  for (const fs::path& zone : entries(folder))
    if (is_package(zone))
      add((zone / "energy_uj").string(), read_number(zone / "max_energy_range_uj").value_or(0));
  if (!counters_.empty()) source_ = concat("RAPL, ", folder);
}

// energyN_input with energyN_label "Esocket0": microjoules that never begin again.
void EnergyMeter::find_sockets(const std::string& folder) {
  for (const fs::path& chip : entries(folder))
    for (const fs::path& file : entries(chip)) {
      const std::string name = file.filename().string();
      if (!name.starts_with("energy") || !name.ends_with("_label")) continue;
      if (!read_word(file).starts_with("Esocket")) continue;
      add((chip / (name.substr(0, name.size() - 5) + "input")).string(), 0);
    }
  if (!counters_.empty()) source_ = concat("hwmon, ", folder);
}

// Microwatt-hours that are left, of the whole machine.
void EnergyMeter::find_battery(const std::string& folder) {
  for (const fs::path& supply : entries(folder)) {
    if (read_word(supply / "type") != "Battery" || read_word(supply / "status") != "Discharging") continue;
    if (!add((supply / "energy_now").string(), 0)) continue;
    source_ = concat("battery of the whole machine, ", supply.string());
    joules_per_count_ = 3600e-6;
    falls_ = true;
    return;
  }
}

void EnergyMeter::add(const std::string& source, std::function<std::optional<double>()> joules) {
  const std::optional<double> first = joules();
  if (!first) return;
  others_.push_back({std::move(joules), *first});
  source_ += concat(source_.empty() ? "" : " and ", source);
  why_.clear();
}

std::optional<double> EnergyMeter::joules() {
  if (source_.empty()) return std::nullopt;
  for (Counter& counter : counters_) {
    const std::optional<int64_t> now = read_number(counter.file);
    if (!now) return std::nullopt;
    int64_t taken = falls_ ? counter.last - *now : *now - counter.last;
    if (taken < 0) taken = falls_ ? 0 : taken + counter.range;  // charged meanwhile, or begun again
    total_ += static_cast<double>(taken) * joules_per_count_;
    counter.last = *now;
  }
  double all = total_;
  for (const Other& other : others_) {
    const std::optional<double> now = other.joules();
    if (!now) return std::nullopt;
    all += *now - other.first;
  }
  return all;
}

}  // namespace temper
