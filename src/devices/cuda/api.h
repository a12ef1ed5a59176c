#pragma once
// What is used of the CUDA driver, NVRTC, cuBLASLt and NVML, declared anew: entry points by the names that
// the libraries export, and the numbers that they take.
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace temper::cuda {

struct CContext;
struct CStream;
struct CEvent;
struct CModule;
struct CFunction;
struct CGraph;
struct CGraphExec;
struct CProgram;
struct CBlas;
struct CProduct;     // cublasLtMatmulDesc
struct CMatrix;      // cublasLtMatrixLayout
struct CPreference;  // cublasLtMatmulPreference
struct CCard;        // nvmlDevice

using Address = char*;  // of memory on the device; an integer of that width in the headers
using Status = int;     // of every library; 0 is success

inline constexpr int kOldestDriver = 12000;  // CUDA 12.0

enum DriverStatus : Status {
  kOutOfMemory = 2,
  kDeviceUnavailable = 46,
  kNoDevice = 100,
  kNoBinaryForDevice = 209,
  kEccUncorrectable = 214,
  kIllegalAddress = 700,
  kHardwareStackError = 714,
  kIllegalInstruction = 715,
  kMisalignedAddress = 716,
  kLaunchFailed = 719,
  kSystemNotReady = 802,
  kDriverMismatch = 803,
  kCompatNotSupported = 804,
  kUnknown = 999,
};
enum DeviceAttribute : int { kMultiprocessors = 16, kCapabilityMajor = 75, kCapabilityMinor = 76 };
inline constexpr unsigned kNonBlockingStream = 1, kEventWithoutTiming = 2;
inline constexpr int kCaptureOwnThread = 1;

// name, type
#define TEMPER_CUDA_DRIVER_CALLS(CALL)                                                                \
  CALL(cuInit, Status(unsigned))                                                                      \
  CALL(cuDriverGetVersion, Status(int*))                                                              \
  CALL(cuGetErrorName, Status(Status, const char**))                                                  \
  CALL(cuGetErrorString, Status(Status, const char**))                                                \
  CALL(cuDeviceGetCount, Status(int*))                                                                \
  CALL(cuDeviceGet, Status(int*, int))                                                                \
  CALL(cuDeviceGetName, Status(char*, int, int))                                                      \
  CALL(cuDeviceGetAttribute, Status(int*, int, int))                                                  \
  CALL(cuDeviceGetPCIBusId, Status(char*, int, int))                                                  \
  CALL(cuDeviceTotalMem_v2, Status(size_t*, int))                                                     \
  CALL(cuDevicePrimaryCtxRetain, Status(CContext**, int))                                             \
  CALL(cuCtxSetCurrent, Status(CContext*))                                                            \
  CALL(cuMemGetInfo_v2, Status(size_t*, size_t*))                                                     \
  CALL(cuMemAlloc_v2, Status(Address*, size_t))                                                       \
  CALL(cuMemFree_v2, Status(Address))                                                                 \
  CALL(cuMemAllocHost_v2, Status(void**, size_t))                                                     \
  CALL(cuMemFreeHost, Status(void*))                                                                  \
  CALL(cuMemcpyHtoDAsync_v2, Status(Address, const void*, size_t, CStream*))                          \
  CALL(cuMemcpyDtoHAsync_v2, Status(void*, Address, size_t, CStream*))                                \
  CALL(cuMemcpyDtoDAsync_v2, Status(Address, Address, size_t, CStream*))                              \
  CALL(cuMemsetD8Async, Status(Address, unsigned char, size_t, CStream*))                             \
  CALL(cuStreamCreate, Status(CStream**, unsigned))                                                   \
  CALL(cuStreamSynchronize, Status(CStream*))                                                         \
  CALL(cuStreamWaitEvent, Status(CStream*, CEvent*, unsigned))                                        \
  CALL(cuEventCreate, Status(CEvent**, unsigned))                                                     \
  CALL(cuEventRecord, Status(CEvent*, CStream*))                                                      \
  CALL(cuEventSynchronize, Status(CEvent*))                                                           \
  CALL(cuModuleLoadData, Status(CModule**, const void*))                                              \
  CALL(cuModuleUnload, Status(CModule*))                                                              \
  CALL(cuModuleGetFunction, Status(CFunction**, CModule*, const char*))                               \
  CALL(cuLaunchKernel, Status(CFunction*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, \
                              unsigned, CStream*, void**, void**))                                    \
  CALL(cuStreamBeginCapture_v2, Status(CStream*, int))                                                \
  CALL(cuStreamEndCapture, Status(CStream*, CGraph**))                                                \
  CALL(cuGraphInstantiateWithFlags, Status(CGraphExec**, CGraph*, unsigned long long))                \
  CALL(cuGraphLaunch, Status(CGraphExec*, CStream*))                                                  \
  CALL(cuGraphExecDestroy, Status(CGraphExec*))                                                       \
  CALL(cuGraphDestroy, Status(CGraph*))

inline constexpr Status kCompilationFailed = 6;

#define TEMPER_NVRTC_CALLS(CALL)                                                                  \
  CALL(nvrtcVersion, Status(int*, int*))                                                          \
  CALL(nvrtcGetErrorString, const char*(Status))                                                  \
  CALL(nvrtcGetNumSupportedArchs, Status(int*))                                                   \
  CALL(nvrtcGetSupportedArchs, Status(int*))                                                      \
  CALL(nvrtcCreateProgram,                                                                        \
       Status(CProgram**, const char*, const char*, int, const char* const*, const char* const*)) \
  CALL(nvrtcDestroyProgram, Status(CProgram**))                                                   \
  CALL(nvrtcCompileProgram, Status(CProgram*, int, const char* const*))                           \
  CALL(nvrtcGetProgramLogSize, Status(CProgram*, size_t*))                                        \
  CALL(nvrtcGetProgramLog, Status(CProgram*, char*))                                              \
  CALL(nvrtcGetCUBINSize, Status(CProgram*, size_t*))                                             \
  CALL(nvrtcGetCUBIN, Status(CProgram*, char*))

enum DataType : int { kR32F = 0, kR64F = 1, kR16F = 2, kR16BF = 14 };
enum ComputeType : int { kCompute32F = 68, kCompute64F = 70, kComputeTF32 = 77 };
enum ProductAttribute : int { kTransA = 3, kTransB = 4, kEpilogue = 7, kBiasPointer = 8 };
enum MatrixAttribute : int { kBatchCount = 5, kBatchStride = 6 };
enum PreferenceAttribute : int {
  kWorkspaceBytes = 1,
  kAlignmentA = 5,
  kAlignmentB = 6,
  kAlignmentC = 7,
  kAlignmentD = 8
};
enum Epilogue : unsigned { kPlain = 1, kRelu = 2, kBias = 4 };  // or-ed but for kPlain

struct Algorithm {
  uint64_t data[8];
};
struct AlgorithmFound {
  Algorithm algorithm;
  size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};

#define TEMPER_CUBLASLT_CALLS(CALL)                                                                      \
  CALL(cublasLtGetVersion, size_t())                                                                     \
  CALL(cublasLtGetStatusString, const char*(Status))                                                     \
  CALL(cublasLtCreate, Status(CBlas**))                                                                  \
  CALL(cublasLtMatmulDescCreate, Status(CProduct**, int, int))                                           \
  CALL(cublasLtMatmulDescDestroy, Status(CProduct*))                                                     \
  CALL(cublasLtMatmulDescSetAttribute, Status(CProduct*, int, const void*, size_t))                      \
  CALL(cublasLtMatrixLayoutCreate, Status(CMatrix**, int, uint64_t, uint64_t, int64_t))                  \
  CALL(cublasLtMatrixLayoutDestroy, Status(CMatrix*))                                                    \
  CALL(cublasLtMatrixLayoutSetAttribute, Status(CMatrix*, int, const void*, size_t))                     \
  CALL(cublasLtMatmulPreferenceCreate, Status(CPreference**))                                            \
  CALL(cublasLtMatmulPreferenceDestroy, Status(CPreference*))                                            \
  CALL(cublasLtMatmulPreferenceSetAttribute, Status(CPreference*, int, const void*, size_t))             \
  CALL(cublasLtMatmulAlgoGetHeuristic, Status(CBlas*, CProduct*, CMatrix*, CMatrix*, CMatrix*, CMatrix*, \
                                              CPreference*, int, AlgorithmFound*, int*))                 \
  CALL(cublasLtMatmul,                                                                                   \
       Status(CBlas*, CProduct*, const void*, const void*, CMatrix*, const void*, CMatrix*, const void*, \
              const void*, CMatrix*, void*, CMatrix*, const Algorithm*, void*, size_t, CStream*))

#define TEMPER_NVML_CALLS(CALL)                                        \
  CALL(nvmlInit_v2, Status())                                          \
  CALL(nvmlErrorString, const char*(Status))                           \
  CALL(nvmlDeviceGetHandleByPciBusId_v2, Status(const char*, CCard**)) \
  CALL(nvmlDeviceGetTotalEnergyConsumption, Status(CCard*, unsigned long long*))

#define TEMPER_CUDA_CALL(name, ...) std::add_pointer_t<__VA_ARGS__> name = nullptr;
struct DriverApi {
  TEMPER_CUDA_DRIVER_CALLS(TEMPER_CUDA_CALL)
};
struct NvrtcApi {
  TEMPER_NVRTC_CALLS(TEMPER_CUDA_CALL)
};
struct BlasApi {
  TEMPER_CUBLASLT_CALLS(TEMPER_CUDA_CALL)
};
struct NvmlApi {
  TEMPER_NVML_CALLS(TEMPER_CUDA_CALL)
};
#undef TEMPER_CUDA_CALL

}  // namespace temper::cuda
