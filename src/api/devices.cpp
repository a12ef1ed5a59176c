#include "api/devices.h"

#include "devices/cpu/cpu.h"
#include "devices/null/null.h"

namespace temper {

void register_devices() {
  if (!device_kinds().empty()) return;
  register_device(cpu::cpu_device());
  register_device(null::null_device());
}

}  // namespace temper
