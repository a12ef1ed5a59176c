#include "devices/cuda/cuda.h"

namespace temper::cuda {

namespace {

// NVRTC needs no header for any of it. 16-bit floats: PTX has the conversions; HIP's compiler, and one for
// processors, have a type.
constexpr std::string_view kWords = R"(typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
typedef float f32;
typedef double f64;
#define HAS_F64
#define KERNEL extern "C" __global__
#define LANES(n) __launch_bounds__(n)
#define GLOBAL
#define LOCAL __shared__
#define INLINE static __device__ inline
#define ITEM ((i64)blockIdx.x * blockDim.x + threadIdx.x)
#define GROUP blockIdx.x
#define LANE threadIdx.x
#define BARRIER __syncthreads()
#define AS_F32(x) __uint_as_float(x)
#define AS_U32(x) __float_as_uint(x)
#define AS_F64(x) __longlong_as_double((i64)(x))
#define AS_U64(x) (u64)__double_as_longlong(x)
#define INF __int_as_float(0x7f800000)
#define NOT_A_NUMBER __int_as_float(0x7fc00000)
#define MUL_ADD(a, b, c) mul_add(a, b, c)
INLINE f32 mul_add(f32 a, f32 b, f32 c) { return __fmaf_rn(a, b, c); }
INLINE f64 mul_add(f64 a, f64 b, f64 c) { return __fma_rn(a, b, c); }
#ifdef __CUDACC_RTC__
INLINE f32 f16_to_f32(u16 x) {
  f32 value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x));
  return value;
}
INLINE u16 f32_to_f16(f32 x) {
  u16 bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
#else
union Half {
  u16 bits;
  _Float16 value;
};
INLINE f32 f16_to_f32(u16 x) {
  Half half;
  half.bits = x;
  return (f32)half.value;
}
INLINE u16 f32_to_f16(f32 x) {
  Half half;
  half.value = (_Float16)x;
  return half.bits;
}
#endif
)";

}  // namespace

const Dialect& cuda_c() {
  static constexpr Dialect kDialect{"CUDA C++", kWords};
  return kDialect;
}

}  // namespace temper::cuda
