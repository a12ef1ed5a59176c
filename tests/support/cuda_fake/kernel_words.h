// Put before generated CUDA C++ by the fake NVRTC: what C++ lacks. No header is included: that would take
// longer than the kernels.
#define __global__ __attribute__((visibility("default")))
#define __device__
#define __shared__ static
#define __launch_bounds__(n)
#define __syncthreads() fake_wait()
#define blockIdx fake_block
#define threadIdx fake_lane
#define blockDim fake_lanes
struct FakeIndex {
  unsigned x, y, z;
};
extern "C" __attribute__((visibility("default"))) FakeIndex fake_block, fake_lane, fake_lanes;
FakeIndex fake_block, fake_lane, fake_lanes;
extern "C" __attribute__((visibility("default"))) void (*fake_wait)();
void (*fake_wait)();

static inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
static inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
static inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
static inline double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }
static inline long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }

#define FAKE_ONE(name)                      \
  extern "C" double name(double) noexcept;  \
  extern "C" float name##f(float) noexcept; \
  static inline float name(float x) { return name##f(x); }
#define FAKE_TWO(name)                             \
  extern "C" double name(double, double) noexcept; \
  extern "C" float name##f(float, float) noexcept; \
  static inline float name(float x, float y) { return name##f(x, y); }
FAKE_ONE(exp)
FAKE_ONE(expm1)
FAKE_ONE(log)
FAKE_ONE(log1p)
FAKE_ONE(sqrt)
FAKE_ONE(sin)
FAKE_ONE(cos)
FAKE_ONE(tanh)
FAKE_ONE(erf)
FAKE_ONE(erfc)
FAKE_ONE(floor)
FAKE_ONE(ceil)
FAKE_ONE(rint)
FAKE_ONE(fabs)
FAKE_TWO(pow)
FAKE_TWO(fmod)
static inline float rsqrt(float x) { return 1 / sqrtf(x); }
static inline double rsqrt(double x) { return 1 / sqrt(x); }
static inline bool isnan(float x) { return x != x; }
static inline bool isnan(double x) { return x != x; }
static inline bool isinf(float x) { return __builtin_isinf(x); }
static inline bool isinf(double x) { return __builtin_isinf(x); }
static inline bool isfinite(float x) { return __builtin_isfinite(x); }
static inline bool isfinite(double x) { return __builtin_isfinite(x); }
