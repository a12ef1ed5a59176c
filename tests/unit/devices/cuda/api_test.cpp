// Our declarations against the toolkit's headers and libraries, where there is one.
#include "devices/cuda/api.h"

#include <dlfcn.h>

#include <string>

#include "devices/cuda/libraries.h"
#include "fake_device.h"

#if __has_include(<cuda.h>) && __has_include(<cublasLt.h>) && __has_include(<nvrtc.h>)
#define TEMPER_HAS_TOOLKIT 1
#include <cublasLt.h>
#include <cuda.h>
#include <nvrtc.h>
#else
#define TEMPER_HAS_TOOLKIT 0
#endif

namespace temper::cuda {
namespace {

#if TEMPER_HAS_TOOLKIT
template <class T>
struct Held {
  T value;
};

// As many parameters, each as wide, and as wide a result.
template <class Ours, class Theirs>
struct Alike : std::false_type {};
template <class R, class... P, class S, class... Q>
struct Alike<R (*)(P...), S (*)(Q...)> {
  static constexpr bool value = [] {
    if constexpr (sizeof...(P) == sizeof...(Q))
      return sizeof(Held<R>) == sizeof(Held<S>) && ((sizeof(Held<P>) == sizeof(Held<Q>)) && ...);
    else
      return false;
  }();
};

TEST(CudaApi, FunctionsAreAsInTheHeaders){
#define CHECK(name, ...) \
  EXPECT_TRUE((Alike<std::add_pointer_t<__VA_ARGS__>, decltype(&::name)>::value)) << #name;
    TEMPER_CUDA_DRIVER_CALLS(CHECK) TEMPER_NVRTC_CALLS(CHECK) TEMPER_CUBLASLT_CALLS(CHECK)
#undef CHECK
}

TEST(CudaApi, NumbersAreAsInTheHeaders) {
  EXPECT_EQ(kOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(kDeviceUnavailable, CUDA_ERROR_DEVICE_UNAVAILABLE);
  EXPECT_EQ(kNoDevice, CUDA_ERROR_NO_DEVICE);
  EXPECT_EQ(kNoBinaryForDevice, CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_EQ(kEccUncorrectable, CUDA_ERROR_ECC_UNCORRECTABLE);
  EXPECT_EQ(kIllegalAddress, CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(kHardwareStackError, CUDA_ERROR_HARDWARE_STACK_ERROR);
  EXPECT_EQ(kIllegalInstruction, CUDA_ERROR_ILLEGAL_INSTRUCTION);
  EXPECT_EQ(kMisalignedAddress, CUDA_ERROR_MISALIGNED_ADDRESS);
  EXPECT_EQ(kLaunchFailed, CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(kSystemNotReady, CUDA_ERROR_SYSTEM_NOT_READY);
  EXPECT_EQ(kDriverMismatch, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH);
  EXPECT_EQ(kCompatNotSupported, CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE);
  EXPECT_EQ(kUnknown, CUDA_ERROR_UNKNOWN);
  EXPECT_EQ(kMultiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  EXPECT_EQ(kCapabilityMajor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  EXPECT_EQ(kCapabilityMinor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  EXPECT_EQ(kNonBlockingStream, CU_STREAM_NON_BLOCKING);
  EXPECT_EQ(kEventWithoutTiming, CU_EVENT_DISABLE_TIMING);
  EXPECT_EQ(kCaptureOwnThread, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  EXPECT_EQ(kCompilationFailed, NVRTC_ERROR_COMPILATION);
}

TEST(CudaApi, NumbersOfProductsAreAsInTheHeaders) {
  EXPECT_EQ(kR32F, CUDA_R_32F);
  EXPECT_EQ(kR64F, CUDA_R_64F);
  EXPECT_EQ(kR16F, CUDA_R_16F);
  EXPECT_EQ(kR16BF, CUDA_R_16BF);
  EXPECT_EQ(kCompute32F, CUBLAS_COMPUTE_32F);
  EXPECT_EQ(kCompute64F, CUBLAS_COMPUTE_64F);
  EXPECT_EQ(kComputeTF32, CUBLAS_COMPUTE_32F_FAST_TF32);
  EXPECT_EQ(kTransA, CUBLASLT_MATMUL_DESC_TRANSA);
  EXPECT_EQ(kTransB, CUBLASLT_MATMUL_DESC_TRANSB);
  EXPECT_EQ(kEpilogue, CUBLASLT_MATMUL_DESC_EPILOGUE);
  EXPECT_EQ(kBiasPointer, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
  EXPECT_EQ(kBatchCount, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
  EXPECT_EQ(kBatchStride, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
  EXPECT_EQ(kWorkspaceBytes, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
  EXPECT_EQ(kAlignmentA, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
  EXPECT_EQ(kAlignmentB, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
  EXPECT_EQ(kAlignmentC, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
  EXPECT_EQ(kAlignmentD, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
  EXPECT_EQ(kPlain, CUBLASLT_EPILOGUE_DEFAULT);
  EXPECT_EQ(kRelu, CUBLASLT_EPILOGUE_RELU);
  EXPECT_EQ(kBias, CUBLASLT_EPILOGUE_BIAS);
  EXPECT_EQ(kRelu | kBias, CUBLASLT_EPILOGUE_RELU_BIAS);
  EXPECT_EQ(sizeof(Algorithm), sizeof(cublasLtMatmulAlgo_t));
  EXPECT_EQ(sizeof(AlgorithmFound), sizeof(cublasLtMatmulHeuristicResult_t));
  EXPECT_EQ(offsetof(AlgorithmFound, state), offsetof(cublasLtMatmulHeuristicResult_t, state));
}
#endif

// What is called is exported, by the very library that a GPU would run.
TEST(CudaApi, LibrariesHaveTheFunctions) {
  std::string why;
  setenv("TEMPER_CUDA_PATH", "/usr/local/cuda/lib64", 1);
  if (!TEMPER_HAS_TOOLKIT || find_libraries({"libcublasLt.so.13"}, why).empty())
    GTEST_SKIP() << "skipped, because there is no CUDA toolkit 13";
  EXPECT_NE(open_blas(13000, why), nullptr) << why;
  EXPECT_NO_THROW(open_nvrtc(13000, 90));
  void* const stub = dlopen("/usr/local/cuda/lib64/stubs/libcuda.so", RTLD_LAZY | RTLD_LOCAL);
  if (!stub) GTEST_SKIP() << "skipped, because the toolkit has no stub of the driver";
#define CHECK(name, ...) EXPECT_NE(dlsym(stub, #name), nullptr) << #name;
  TEMPER_CUDA_DRIVER_CALLS(CHECK)
#undef CHECK
}

}  // namespace
}  // namespace temper::cuda
