// A driver that finds no hardware.
#include "fake.h"

using namespace temper::opencl;

extern "C" Status clGetPlatformIDs(uint32_t, CPlatform** platforms, uint32_t* count) {
  static int platform;
  if (platforms) *platforms = reinterpret_cast<CPlatform*>(&platform);
  if (count) *count = 1;
  return kSuccess;
}
extern "C" Status clGetDeviceIDs(CPlatform*, uint64_t, uint32_t, CDevice**, uint32_t*) {
  return kDeviceNotFound;
}
UNUSED_CALLS
