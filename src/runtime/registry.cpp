#include "runtime/registry.h"

#include <map>
#include <mutex>

#include "base/check.h"

namespace temper {

namespace {

struct Registry {
  std::mutex mutex;
  std::vector<DeviceKind> kinds;
  std::map<std::string, std::unique_ptr<Device>> open;  // by kind and ordinal
};

Registry& registry() {
  static Registry the_registry;
  return the_registry;
}

[[noreturn]] void unknown(std::string_view name, const std::vector<DeviceKind>& kinds) {
  std::vector<std::string> names;
  for (const DeviceKind& kind : kinds) names.emplace_back(kind.name);
  const std::string near = closest(name, names);
  throw Error(ErrorKind::device, concat("there is no device `", name, "`",
                                        near.empty() ? "" : concat("; did you mean `", near, "`?"),
                                        " (known: ", join(names, ", "), ")"));
}

}  // namespace

void register_device(const DeviceKind& kind) {
  Registry& devices = registry();
  const std::lock_guard lock(devices.mutex);
  for (DeviceKind& known : devices.kinds) {
    if (known.name == kind.name) return;  // registering twice is harmless
  }
  devices.kinds.push_back(kind);
}

const std::vector<DeviceKind>& device_kinds() { return registry().kinds; }

Device& open_device(std::string_view name) {
  Registry& devices = registry();
  const std::lock_guard lock(devices.mutex);
  const size_t colon = name.find(':');
  const std::string_view kind_name = name.substr(0, colon);
  int64_t ordinal = 0;
  if (colon != std::string_view::npos &&
      (!parse_number(name.substr(colon + 1), ordinal) || ordinal < 0 || ordinal > 1 << 16))
    throw Error(ErrorKind::device, concat("device `", name, "`: expected a number from 0 after `:`"));
  for (const DeviceKind& kind : devices.kinds) {
    if (kind.name != kind_name) continue;
    std::unique_ptr<Device>& device = devices.open[concat(kind_name, ":", ordinal)];
    if (!device) device = kind.open(static_cast<int>(ordinal));
    return *device;
  }
  unknown(kind_name, devices.kinds);
}

}  // namespace temper
