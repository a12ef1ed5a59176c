#pragma once
// Devices by name, filled by an explicit list at start-up (src/api).
#include "runtime/device.h"

namespace temper {

struct DeviceKind {
  std::string_view name;  // "cpu"
  // Opens device `ordinal`. Error device says why it is absent.
  std::unique_ptr<Device> (*open)(int ordinal);
  const Target* target;
};

void register_device(const DeviceKind& kind);
const std::vector<DeviceKind>& device_kinds();
// "cpu", "null", "cuda:1"; Error device (with a suggestion) if there is none. The process keeps it.
Device& open_device(std::string_view name);

}  // namespace temper
