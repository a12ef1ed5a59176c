#include "base/energy.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace temper {
namespace {

std::optional<int64_t> read_number(const std::string& file) {
  std::ifstream stream(file);
  int64_t value = 0;
  if (!(stream >> value)) return std::nullopt;
  return value;
}

bool is_package(const std::filesystem::path& zone) {
  const std::string name = zone.filename().string();
  if (!name.starts_with("intel-rapl:") || std::count(name.begin(), name.end(), ':') != 1)
    return false;  // or a part of one
  std::string kind;
  std::getline(std::ifstream(zone / "name") >> std::ws, kind);
  return kind.starts_with("package");  // not psys, which counts the packages again
}

}  // namespace

EnergyMeter::EnergyMeter(const std::string& root) {
  std::error_code absent;
  for (const auto& zone : std::filesystem::directory_iterator(root, absent)) {
    if (!is_package(zone.path())) continue;
    const std::string file = (zone.path() / "energy_uj").string();
    const std::optional<int64_t> now = read_number(file);
    if (!now) continue;
    packages_.push_back(
        {file, *now, read_number((zone.path() / "max_energy_range_uj").string()).value_or(0)});
  }
}

std::optional<double> EnergyMeter::joules() {
  if (packages_.empty()) return std::nullopt;
  for (Package& package : packages_) {
    const std::optional<int64_t> now = read_number(package.counter_file);
    if (!now) return std::nullopt;
    total_ += *now >= package.last ? *now - package.last : *now + package.range - package.last;
    package.last = *now;
  }
  return static_cast<double>(total_) * 1e-6;
}

}  // namespace temper
