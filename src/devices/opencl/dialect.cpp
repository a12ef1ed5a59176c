#include "devices/opencl/opencl.h"

namespace temper::opencl {

namespace {

// 16-bit floats go through vload_half and vstore_half, which need no extension.
constexpr std::string_view kWords = R"(#pragma OPENCL FP_CONTRACT OFF
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#define HAS_F64
typedef double f64;
#define AS_F64(x) as_double(x)
#define AS_U64(x) as_ulong(x)
#endif
typedef char i8;
typedef uchar u8;
typedef short i16;
typedef ushort u16;
typedef int i32;
typedef uint u32;
typedef long i64;
typedef ulong u64;
typedef float f32;
#define KERNEL __kernel
#define LANES(n) __attribute__((reqd_work_group_size(n, 1, 1)))
#define GLOBAL __global
#define LOCAL __local
#define INLINE static inline
#define ITEM get_global_id(0)
#define GROUP get_group_id(0)
#define LANE get_local_id(0)
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#define AS_F32(x) as_float(x)
#define AS_U32(x) as_uint(x)
#define INF INFINITY
#define NOT_A_NUMBER NAN
#ifdef FUSED_MULTIPLY_ADD
#define MUL_ADD(a, b, c) fma(a, b, c)
#else
#define MUL_ADD(a, b, c) ((a) * (b) + (c))
#endif
INLINE f32 f16_to_f32(u16 x) { return vload_half(0, (const half*)&x); }
INLINE u16 f32_to_f16(f32 x) {
  u16 bits;
  vstore_half_rte(x, 0, (half*)&bits);
  return bits;
}
)";

}  // namespace

const Dialect& opencl_c() {
  static constexpr Dialect kDialect{"OpenCL C", kWords};
  return kDialect;
}

}  // namespace temper::opencl
