#include "nn/draw.h"

#include <cmath>
#include <cstring>
#include <numbers>

namespace temper::nn {
namespace {

// Compiled three times, for the processor that is there. Never with fused products, so the bits agree.
#define TEMPER_INLINE inline __attribute__((always_inline))

// NOLINTBEGIN(modernize-use-using): clang takes the attribute only so
typedef double Reals __attribute__((vector_size(kDrawnTogether * 8)));
typedef uint64_t Words __attribute__((vector_size(kDrawnTogether * 8)));
typedef int64_t Signed __attribute__((vector_size(kDrawnTogether * 8)));
// NOLINTEND(modernize-use-using)

// Adding these puts a whole number into the low bits of a double.
constexpr double kWhole = 0x1p52, kSignedWhole = 0x1.8p52;
constexpr uint64_t kWholeBits = 0x4330000000000000, kSignedWholeBits = 0x4338000000000000;

// philox() of eight counters that follow one another.
TEMPER_INLINE void words_of(PhiloxKey key, uint64_t block, std::array<Words, 4>& words) {
  constexpr uint64_t kLow = 0xffffffff;
  const Words index = Words{0, 1, 2, 3, 4, 5, 6, 7} + block;
  words = {index & kLow, index >> 32, Words{}, Words{} + kPhiloxBits};
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const Words first = words[0] * kPhiloxMultipliers[0], second = words[2] * kPhiloxMultipliers[1];
    words = {(second >> 32) ^ words[1] ^ key[0], second & kLow, (first >> 32) ^ words[3] ^ key[1],
             first & kLow};
    key = {key[0] + kPhiloxSteps[0], key[1] + kPhiloxSteps[1]};
  }
}

// In (0, 1), so that the logarithm is finite.
TEMPER_INLINE void open_unit(const Words& words, Reals& unit) {
  unit = ((Reals)(words | kWholeBits) - kWhole + 0.5) * 0x1p-32;
}

// Of numbers in (0, 1). Formula and coefficients: fdlibm, e_log.c.
TEMPER_INLINE void logarithm(const Reals& x, Reals& result) {
  constexpr uint64_t kHalfRoot = 0x3fe6a09e00000000;  // about sqrt(1 / 2)
  constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  const Words bits = (Words)x, apart = bits - kHalfRoot;
  const Reals exponent = (Reals)((Words)((Signed)apart >> 52) + kSignedWholeBits) - kSignedWhole;
  const Reals f = (Reals)(bits - (apart & 0xfff0000000000000)) - 1.0;
  const Reals s = f / (2.0 + f), z = s * s, w = z * z, half = 0.5 * f * f;
  const Reals even =
      w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const Reals odd =
      z * (6.666666666666735130e-01 +
           w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  result = exponent * kLn2High - ((half - (s * (half + even + odd) + exponent * kLn2Low)) - f);
}

// Of turns in (0, 1). Coefficients: fdlibm, k_sin.c and k_cos.c.
TEMPER_INLINE void cosine_and_sine(const Reals& turns, Reals& cosine, Reals& sine) {
  const Reals shifted = 4.0 * turns + kSignedWhole;  // rounded to whole quarters
  const Words quarter = (Words)shifted;
  const Reals a = (turns - (shifted - kSignedWhole) * 0.25) * (2 * std::numbers::pi), z = a * a;
  const Reals s =
      a + a * z *
              (-1.66666666666666324348e-01 +
               z * (8.33333333332248946124e-03 +
                    z * (-1.98412698298579493134e-04 +
                         z * (2.75573137070700676789e-06 +
                              z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
  const Reals c = 1.0 - 0.5 * z +
                  z * z *
                      (4.16666666666666019037e-02 +
                       z * (-1.38888888888741095749e-03 +
                            z * (2.48015872894767294178e-05 +
                                 z * (-2.75573143513906633035e-07 +
                                      z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
  const Words odd = Words{} - (quarter & 1);  // all bits or none
  const Words swapped_c = ((Words)s & odd) | ((Words)c & ~odd),
              swapped_s = ((Words)c & odd) | ((Words)s & ~odd);
  cosine = (Reals)(swapped_c ^ (((quarter + 1) & 2) << 62));
  sine = (Reals)(swapped_s ^ ((quarter & 2) << 62));
}

// Two independent normal numbers. Box and Muller, 1958.
TEMPER_INLINE void normal_pair(const Words& first, const Words& second, Reals& a, Reals& b) {
  Reals unit, turns, radius;
  open_unit(first, unit);
  open_unit(second, turns);
  logarithm(unit, radius);
  for (int lane = 0; lane < kDrawnTogether; ++lane) radius[lane] = std::sqrt(-2 * radius[lane]);
  cosine_and_sine(turns, a, b);
  a *= radius;
  b *= radius;
}

// From one vector per place in a block to block after block.
TEMPER_INLINE void write(const std::array<Reals, kPerBlock>& numbers, Drawn& out) {
  for (size_t lane = 0; lane < kDrawnTogether; ++lane)
    for (size_t i = 0; i < kPerBlock; ++i) out[lane * kPerBlock + i] = numbers[i][static_cast<int>(lane)];
}

TEMPER_INLINE void uniform(PhiloxKey key, uint64_t block, Drawn& out) {
  std::array<Words, 4> words;
  words_of(key, block, words);
  std::array<Reals, kPerBlock> numbers;
  for (size_t i = 0; i < kPerBlock; ++i) {
    open_unit(words[i], numbers[i]);
    numbers[i] = 2.0 * numbers[i] - 1.0;
  }
  write(numbers, out);
}

TEMPER_INLINE void normal(PhiloxKey key, uint64_t block, Drawn& out) {
  std::array<Words, 4> words;
  words_of(key, block, words);
  std::array<Reals, kPerBlock> numbers;
  normal_pair(words[0], words[1], numbers[0], numbers[1]);
  normal_pair(words[2], words[3], numbers[2], numbers[3]);
  write(numbers, out);
}

using Draw = void (*)(PhiloxKey, uint64_t, Drawn&);
struct Draws {
  Draw uniform, normal;
};

#define TEMPER_DRAWS(name, ...)                                                                            \
  __VA_ARGS__ void uniform_##name(PhiloxKey key, uint64_t block, Drawn& out) { uniform(key, block, out); } \
  __VA_ARGS__ void normal_##name(PhiloxKey key, uint64_t block, Drawn& out) { normal(key, block, out); }
TEMPER_DRAWS(baseline)
TEMPER_DRAWS(avx2, __attribute__((target("avx2"))))
TEMPER_DRAWS(avx512, __attribute__((target("avx512f,avx512dq,avx512vl"))))
#undef TEMPER_DRAWS

const Draws& draws() {
  static const Draws chosen = [] {
    __builtin_cpu_init();
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
    if (wide) return Draws{uniform_avx512, normal_avx512};
    if (__builtin_cpu_supports("avx2")) return Draws{uniform_avx2, normal_avx2};
    return Draws{uniform_baseline, normal_baseline};
  }();
  return chosen;
}

}  // namespace

void draw_uniform(PhiloxKey key, uint64_t block, Drawn& numbers) { draws().uniform(key, block, numbers); }
void draw_normal(PhiloxKey key, uint64_t block, Drawn& numbers) { draws().normal(key, block, numbers); }

}  // namespace temper::nn
