#pragma once
// The entry points of OpenCL 1.2 that are used, declared anew, and the numbers they take.
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace temper::opencl {

struct CPlatform;
struct CDevice;
struct CContext;
struct CQueue;
struct CMemory;
struct CProgram;
struct CKernel;
struct CEvent;

using Status = int32_t;
using Notify = void (*)(const char*, const void*, size_t, void*);
using Built = void (*)(CProgram*, void*);

inline constexpr Status kSuccess = 0, kDeviceNotFound = -1, kAllocationFailed = -4, kOutOfResources = -5,
                        kOutOfHostMemory = -6, kBuildFailed = -11, kInvalidBufferSize = -61,
                        kNoPlatform = -1001;
inline constexpr uint64_t kAllDevices = 0xFFFFFFFF, kTypeCpu = 1 << 1, kTypeGpu = 1 << 2,
                          kTypeAccelerator = 1 << 3;
inline constexpr uint64_t kReadWrite = 1 << 0;
inline constexpr uint64_t kFusedMultiplyAdd = 1 << 5;
enum : uint32_t {
  kDeviceType = 0x1000,
  kDeviceComputeUnits = 0x1002,
  kDeviceMaxGroup = 0x1004,
  kDeviceSingleFloats = 0x101B,
  kDeviceMaxAllocation = 0x1010,
  kDeviceMaxParameters = 0x1017,
  kDeviceMemory = 0x101F,
  kDeviceLocalMemory = 0x1023,
  kDeviceName = 0x102B,
  kDriverVersion = 0x102D,
  kDeviceVersion = 0x102F,
  kDeviceVectorFloats = 0x103A,
  kDeviceExtensions = 0x1030,
  kPlatformName = 0x0902,
  kPlatformVersion = 0x0901,
  kProgramBinarySizes = 0x1165,
  kProgramBinaries = 0x1166,
  kBuildLog = 0x1183,
};

// name, type
#define TEMPER_OPENCL_CALLS(CALL)                                                                           \
  CALL(clGetPlatformIDs, Status(uint32_t, CPlatform**, uint32_t*))                                          \
  CALL(clGetPlatformInfo, Status(CPlatform*, uint32_t, size_t, void*, size_t*))                             \
  CALL(clGetDeviceIDs, Status(CPlatform*, uint64_t, uint32_t, CDevice**, uint32_t*))                        \
  CALL(clGetDeviceInfo, Status(CDevice*, uint32_t, size_t, void*, size_t*))                                 \
  CALL(clCreateContext, CContext*(const intptr_t*, uint32_t, CDevice* const*, Notify, void*, Status*))      \
  CALL(clReleaseContext, Status(CContext*))                                                                 \
  CALL(clCreateCommandQueue, CQueue*(CContext*, CDevice*, uint64_t, Status*))                               \
  CALL(clReleaseCommandQueue, Status(CQueue*))                                                              \
  CALL(clCreateBuffer, CMemory*(CContext*, uint64_t, size_t, void*, Status*))                               \
  CALL(clReleaseMemObject, Status(CMemory*))                                                                \
  CALL(clCreateProgramWithSource, CProgram*(CContext*, uint32_t, const char**, const size_t*, Status*))     \
  CALL(clCreateProgramWithBinary, CProgram*(CContext*, uint32_t, CDevice* const*, const size_t*,            \
                                            const unsigned char**, Status*, Status*))                       \
  CALL(clBuildProgram, Status(CProgram*, uint32_t, CDevice* const*, const char*, Built, void*))             \
  CALL(clGetProgramBuildInfo, Status(CProgram*, CDevice*, uint32_t, size_t, void*, size_t*))                \
  CALL(clGetProgramInfo, Status(CProgram*, uint32_t, size_t, void*, size_t*))                               \
  CALL(clReleaseProgram, Status(CProgram*))                                                                 \
  CALL(clCreateKernel, CKernel*(CProgram*, const char*, Status*))                                           \
  CALL(clSetKernelArg, Status(CKernel*, uint32_t, size_t, const void*))                                     \
  CALL(clReleaseKernel, Status(CKernel*))                                                                   \
  CALL(clEnqueueNDRangeKernel, Status(CQueue*, CKernel*, uint32_t, const size_t*, const size_t*,            \
                                      const size_t*, uint32_t, const CEvent*, CEvent**))                    \
  CALL(clEnqueueReadBuffer,                                                                                 \
       Status(CQueue*, CMemory*, uint32_t, size_t, size_t, void*, uint32_t, const CEvent*, CEvent**))       \
  CALL(clEnqueueWriteBuffer,                                                                                \
       Status(CQueue*, CMemory*, uint32_t, size_t, size_t, const void*, uint32_t, const CEvent*, CEvent**)) \
  CALL(clEnqueueCopyBuffer,                                                                                 \
       Status(CQueue*, CMemory*, CMemory*, size_t, size_t, size_t, uint32_t, const CEvent*, CEvent**))      \
  CALL(clEnqueueFillBuffer,                                                                                 \
       Status(CQueue*, CMemory*, const void*, size_t, size_t, size_t, uint32_t, const CEvent*, CEvent**))   \
  CALL(clFinish, Status(CQueue*))

struct Api {
#define TEMPER_OPENCL_CALL(name, ...) std::add_pointer_t<__VA_ARGS__> name = nullptr;
  TEMPER_OPENCL_CALLS(TEMPER_OPENCL_CALL)
#undef TEMPER_OPENCL_CALL
};

}  // namespace temper::opencl
