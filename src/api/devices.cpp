#include "api/devices.h"

#include "devices/cpu/cpu.h"
#include "devices/cuda/cuda.h"
#include "devices/null/null.h"
#include "devices/opencl/opencl.h"
#include "devices/pjrt/pjrt.h"

namespace temper {

void register_devices() {
  if (!device_kinds().empty()) return;
  register_device(cpu::cpu_device());
  register_device(null::null_device());
  register_device(cuda::cuda_device());
  register_device(opencl::opencl_device());
  register_device(pjrt::pjrt_device());
  register_device(pjrt::tpu_device());
}

}  // namespace temper
