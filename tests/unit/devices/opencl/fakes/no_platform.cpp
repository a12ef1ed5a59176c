// A loader that knows no driver.
#include "fake.h"

using namespace temper::opencl;

extern "C" Status clGetPlatformIDs(uint32_t, CPlatform**, uint32_t*) { return kNoPlatform; }
UNUSED(clGetDeviceIDs)
UNUSED_CALLS
