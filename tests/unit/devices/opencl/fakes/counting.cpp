// The system's loader, some calls counted. Its platform has another name. TEMPER_FAKE_BUILD: a text to
// compile instead of what is given; TEMPER_FAKE_MEMORY: buffers of more bytes fail; TEMPER_FAKE_GPU: the
// device says that it is one.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "devices/opencl/api.h"

using namespace temper::opencl;

namespace {

std::map<std::string, int>& counts() {
  static auto& all = *std::make_unique<std::map<std::string, int>>().release();  // called until the very end
  return all;
}

template <class Pointer>
Pointer inner(const char* name) {
  static void* const library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  ++counts()[name];
  return reinterpret_cast<Pointer>(dlsym(library, name));
}

}  // namespace

extern "C" int times_called(const char* name) { return counts()[name]; }

#define FORWARD(name, result, parameters, ...) \
  extern "C" result name parameters { return inner<result(*) parameters>(#name)(__VA_ARGS__); }

FORWARD(clGetPlatformIDs, Status, (uint32_t a, CPlatform** b, uint32_t* c), a, b, c)
FORWARD(clGetDeviceIDs, Status, (CPlatform * a, uint64_t b, uint32_t c, CDevice** d, uint32_t* e), a, b, c, d,
        e)
FORWARD(clCreateContext, CContext*,
        (const intptr_t* a, uint32_t b, CDevice* const* c, Notify d, void* e, Status* f), a, b, c, d, e, f)
FORWARD(clReleaseContext, Status, (CContext * a), a)
FORWARD(clCreateCommandQueue, CQueue*, (CContext * a, CDevice* b, uint64_t c, Status* d), a, b, c, d)
FORWARD(clReleaseCommandQueue, Status, (CQueue * a), a)
FORWARD(clReleaseMemObject, Status, (CMemory * a), a)
FORWARD(clCreateProgramWithBinary, CProgram*,
        (CContext * a, uint32_t b, CDevice* const* c, const size_t* d, const unsigned char** e, Status* f,
         Status* g),
        a, b, c, d, e, f, g)
FORWARD(clBuildProgram, Status,
        (CProgram * a, uint32_t b, CDevice* const* c, const char* d, Built e, void* f), a, b, c, d, e, f)
FORWARD(clGetProgramBuildInfo, Status, (CProgram * a, CDevice* b, uint32_t c, size_t d, void* e, size_t* f),
        a, b, c, d, e, f)
FORWARD(clGetProgramInfo, Status, (CProgram * a, uint32_t b, size_t c, void* d, size_t* e), a, b, c, d, e)
FORWARD(clReleaseProgram, Status, (CProgram * a), a)
FORWARD(clCreateKernel, CKernel*, (CProgram * a, const char* b, Status* c), a, b, c)
FORWARD(clSetKernelArg, Status, (CKernel * a, uint32_t b, size_t c, const void* d), a, b, c, d)
FORWARD(clReleaseKernel, Status, (CKernel * a), a)
FORWARD(clEnqueueNDRangeKernel, Status,
        (CQueue * a, CKernel* b, uint32_t c, const size_t* d, const size_t* e, const size_t* f, uint32_t g,
         const CEvent* h, CEvent** i),
        a, b, c, d, e, f, g, h, i)
FORWARD(clEnqueueReadBuffer, Status,
        (CQueue * a, CMemory* b, uint32_t c, size_t d, size_t e, void* f, uint32_t g, const CEvent* h,
         CEvent** i),
        a, b, c, d, e, f, g, h, i)
FORWARD(clEnqueueWriteBuffer, Status,
        (CQueue * a, CMemory* b, uint32_t c, size_t d, size_t e, const void* f, uint32_t g, const CEvent* h,
         CEvent** i),
        a, b, c, d, e, f, g, h, i)
FORWARD(clEnqueueCopyBuffer, Status,
        (CQueue * a, CMemory* b, CMemory* c, size_t d, size_t e, size_t f, uint32_t g, const CEvent* h,
         CEvent** i),
        a, b, c, d, e, f, g, h, i)
FORWARD(clEnqueueFillBuffer, Status,
        (CQueue * a, CMemory* b, const void* c, size_t d, size_t e, size_t f, uint32_t g, const CEvent* h,
         CEvent** i),
        a, b, c, d, e, f, g, h, i)
FORWARD(clFinish, Status, (CQueue * a), a)

extern "C" Status clGetPlatformInfo(CPlatform*, uint32_t, size_t size, void* value, size_t* needed) {
  static constexpr char kName[] = "Counting";
  if (needed) *needed = sizeof kName;
  if (value && size >= sizeof kName) std::memcpy(value, kName, sizeof kName);
  return kSuccess;
}

extern "C" Status clGetDeviceInfo(CDevice* a, uint32_t b, size_t c, void* d, size_t* e) {
  if (b == kDeviceType && d && c == sizeof kTypeGpu && std::getenv("TEMPER_FAKE_GPU")) {
    std::memcpy(d, &kTypeGpu, sizeof kTypeGpu);
    return kSuccess;
  }
  return inner<Status (*)(CDevice*, uint32_t, size_t, void*, size_t*)>("clGetDeviceInfo")(a, b, c, d, e);
}

extern "C" CMemory* clCreateBuffer(CContext* a, uint64_t b, size_t c, void* d, Status* e) {
  const char* const most = std::getenv("TEMPER_FAKE_MEMORY");
  if (most && c > std::strtoull(most, nullptr, 10)) {
    *e = kAllocationFailed;
    return nullptr;
  }
  return inner<CMemory* (*)(CContext*, uint64_t, size_t, void*, Status*)>("clCreateBuffer")(a, b, c, d, e);
}

extern "C" CProgram* clCreateProgramWithSource(CContext* a, uint32_t b, const char** c, const size_t* d,
                                               Status* e) {
  using Call = CProgram* (*)(CContext*, uint32_t, const char**, const size_t*, Status*);
  const char* other = std::getenv("TEMPER_FAKE_BUILD");
  if (!other) return inner<Call>("clCreateProgramWithSource")(a, b, c, d, e);
  return inner<Call>("clCreateProgramWithSource")(a, b, &other, nullptr, e);
}
