#include "runtime/registry.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "base/check.h"

namespace temper {

namespace {

struct Registry {
  std::mutex mutex;
  std::vector<DeviceKind> kinds;
  std::map<std::string, std::unique_ptr<Device>, std::less<>>
      open;  // by name; a kind's first by that of the kind
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

int device_number(std::string_view kind, std::string_view which) {
  int64_t number = 0;
  if (!which.empty() && (!parse_number(which, number) || number < 0 || number > 1 << 16))
    throw Error(ErrorKind::device,
                concat("device `", kind, ":", which, "`: expected a number from 0 after `:`"));
  return static_cast<int>(number);
}

Device& open_device(std::string_view name) {
  Registry& devices = registry();
  const std::lock_guard lock(devices.mutex);
  const size_t colon = std::min(name.find(':'), name.size());
  const std::string_view kind_name = name.substr(0, colon),
                         which = name.substr(std::min(colon + 1, name.size()));
  for (const DeviceKind& kind : devices.kinds) {
    if (kind.name != kind_name) continue;
    std::unique_ptr<Device>& device =
        devices.open[std::string(which.empty() || which == "0" ? kind_name : name)];
    if (!device) device = kind.open(which);
    return *device;
  }
  unknown(kind_name, devices.kinds);
}

}  // namespace temper
