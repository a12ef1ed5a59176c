#pragma once
// Devices by name, filled by an explicit list at start-up (src/api).
#include "runtime/device.h"

namespace temper {

struct DeviceKind {
  std::string_view name;  // "cpu"
  // Opens the device that `which` names: what stands after the first colon of `--device`, in words of the
  // kind's own; empty: its first. Error device says why it is absent.
  std::unique_ptr<Device> (*open)(std::string_view which);
  const Target* target;
  // Names that `temper devices` opens; null: that of the kind.
  std::vector<std::string> (*present)() = nullptr;
  // For `--isolate`: compiles `code` in a process that does nothing else; words and result are the kind's
  // own.
  std::string (*compile_alone)(std::span<const std::string> words, std::string_view code) = nullptr;
  bool computes = true;  // false: nobody wants it but by name
};

// `which` as the number of a device: empty is 0. Error device if it is none.
int device_number(std::string_view kind, std::string_view which);

void register_device(const DeviceKind& kind);
const std::vector<DeviceKind>& device_kinds();
// "cpu", "null", "pjrt:cpu"; Error device (with a suggestion) if there is none. The process keeps it.
Device& open_device(std::string_view name);

}  // namespace temper
