// NVML whose GPU takes a joule each time it is asked.
#include "devices/cuda/api.h"

using namespace temper::cuda;

extern "C" {
Status nvmlInit_v2() { return 0; }
const char* nvmlErrorString(Status) { return "Not Supported"; }
Status nvmlDeviceGetHandleByPciBusId_v2(const char*, CCard** card) {
  static int there;
  *card = reinterpret_cast<CCard*>(&there);
  return 0;
}
Status nvmlDeviceGetTotalEnergyConsumption(CCard*, unsigned long long* millijoules) {
  static unsigned long long taken = 0;
  *millijoules = taken += 1000;
  return 0;
}
}
