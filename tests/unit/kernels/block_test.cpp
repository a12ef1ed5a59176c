// Instructions of a tape against libm in double: how many units in the last place they are off.
#include "devices/cpu/kernels/block.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "codegen/tape_names.h"
#include "devices/cpu/kernels/groups.h"

namespace temper::cpu {
namespace {

// Distance in units of the last place of the exact result; 0 for equal specials.
double ulps(float found, double exact) {
  if (std::isnan(exact)) return std::isnan(found) ? 0 : INFINITY;
  const auto rounded = static_cast<float>(exact);
  if (std::isinf(rounded) || std::isinf(found)) return found == rounded ? 0 : INFINITY;
  const float size = std::max(std::abs(rounded), std::numeric_limits<float>::min());
  return std::abs(static_cast<double>(found) - exact) / (std::nextafter(size, INFINITY) - size);
}

struct Elementary {
  TapeOp op;
  double (*exact)(double);
  float low, high;
  double bound;
};

class F32 : public testing::TestWithParam<Elementary> {};

std::vector<float> points(float low, float high) {
  std::vector<float> x;
  for (int i = 0; i <= 100000; ++i) x.push_back(low + (high - low) * static_cast<float>(i) / 100000);
  for (float size = 1e-38f; size < 1e38f; size *= 1.37f)
    for (float sign : {-1.0f, 1.0f})
      if (sign * size >= low && sign * size <= high) x.push_back(sign * size);
  for (float special : {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1.0f, -1.0f, 1e-40f}) x.push_back(special);
  return x;
}

TEST_P(F32, IsWithinItsBound) {
  const Elementary& e = GetParam();
  const std::vector<float> x = points(e.low, e.high);
  std::vector<float> y(x.size());
  block_function(e.op, DType::f32, DType::f32)(x.data(), nullptr, nullptr, y.data(),
                                               static_cast<int64_t>(x.size()));
  double worst = 0;
  float at = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double off = ulps(y[i], e.exact(static_cast<double>(x[i])));
    if (off > worst) worst = off, at = x[i];
  }
  EXPECT_LE(worst, e.bound) << to_string(e.op) << " at " << at;
  RecordProperty("worst_ulp", std::to_string(worst));
}

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double rsqrt(double x) { return 1 / std::sqrt(x); }

INSTANTIATE_TEST_SUITE_P(
    Tape, F32,
    testing::Values(
        Elementary{TapeOp::exp, std::exp, -110, 100, 2}, Elementary{TapeOp::expm1, std::expm1, -110, 100, 3},
        Elementary{TapeOp::log, std::log, -1, 1e30f, 2}, Elementary{TapeOp::log, std::log, 0, 3, 2},
        Elementary{TapeOp::log1p, std::log1p, -1, 3, 3}, Elementary{TapeOp::log1p, std::log1p, -2, 1e30f, 3},
        Elementary{TapeOp::sqrt, std::sqrt, -1, 1e30f, 0.6}, Elementary{TapeOp::rsqrt, rsqrt, -1, 1e30f, 2},
        Elementary{TapeOp::sin, std::sin, -100, 100, 3}, Elementary{TapeOp::cos, std::cos, -100, 100, 3},
        Elementary{TapeOp::sin, std::sin, -1e30f, 1e30f, 3},
        Elementary{TapeOp::cos, std::cos, -1e6f, 1e6f, 3}, Elementary{TapeOp::tanh, std::tanh, -20, 20, 3},
        Elementary{TapeOp::tanh, std::tanh, -1, 1, 3}, Elementary{TapeOp::sigmoid, sigmoid, -80, 100, 3},
        Elementary{TapeOp::erf, std::erf, -6, 6, 3}, Elementary{TapeOp::erf, std::erf, -1.2f, 1.2f, 3},
        Elementary{TapeOp::abs, std::fabs, -9, 9, 0}, Elementary{TapeOp::sign, sign, -9, 9, 0},
        Elementary{TapeOp::floor, std::floor, -9, 9, 0}, Elementary{TapeOp::ceil, std::ceil, -9, 9, 0},
        Elementary{TapeOp::round, std::nearbyint, -9, 9, 0}),
    [](const auto& test) { return std::string(to_string(test.param.op)) + std::to_string(test.index); });

TEST(Block, TailsAreLikeWholeVectors) {
  std::vector<float> x(67), y(67), part(67);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) * 0.37f - 9;
  const BlockFunction f = block_function(TapeOp::tanh, DType::f32, DType::f32);
  f(x.data(), nullptr, nullptr, y.data(), 67);
  for (int64_t n = 0; n <= 67; ++n) {
    std::fill(part.begin(), part.end(), 5.0f);
    f(x.data(), nullptr, nullptr, part.data(), n);
    for (size_t i = 0; i < 67; ++i)
      EXPECT_EQ(part[i], static_cast<int64_t>(i) < n ? y[i] : 5.0f) << n << " " << i;
  }
}

TEST(Block, HalvesRoundToNearestEvenBothWays) {
  std::vector<uint16_t> bits(65536), back(65536);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  std::vector<float> wide(bits.size());
  for (DType dtype : {DType::f16, DType::bf16}) {
    load_function(dtype)(bits.data(), nullptr, nullptr, wide.data(), 65536);
    store_function(dtype)(wide.data(), nullptr, nullptr, back.data(), 65536);
    for (size_t i = 0; i < bits.size(); ++i) {
      const float exact = dtype == DType::f16 ? f16_to_f32(bits[i]) : bf16_to_f32(bits[i]);
      if (std::isnan(exact)) {
        EXPECT_TRUE(std::isnan(wide[i]));
        EXPECT_TRUE(std::isnan(dtype == DType::f16 ? f16_to_f32(back[i]) : bf16_to_f32(back[i])));
        continue;
      }
      ASSERT_EQ(std::bit_cast<uint32_t>(wide[i]), std::bit_cast<uint32_t>(exact)) << i;
      ASSERT_EQ(back[i], bits[i]);
    }
    for (size_t i = 0; i < wide.size(); ++i)
      wide[i] = std::bit_cast<float>(static_cast<uint32_t>(i * 65521 + 12345));
    store_function(dtype)(wide.data(), nullptr, nullptr, back.data(), 65536);
    for (size_t i = 0; i < wide.size(); ++i) {
      if (std::isnan(wide[i])) continue;
      ASSERT_EQ(back[i], dtype == DType::f16 ? f32_to_f16(wide[i]) : f32_to_bf16(wide[i])) << wide[i];
    }
  }
}

TEST(Block, AUniformOperandIsReadOnce) {
  std::vector<float> x(67), y(67, 1.7f), plain(67), uniform(67);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) * 0.37f - 9;
  std::vector<float> one(67, std::nanf(""));
  one[0] = 1.7f;
  for (const TapeOp op : {TapeOp::add, TapeOp::sub, TapeOp::mul, TapeOp::div, TapeOp::max, TapeOp::min,
                          TapeOp::mul_add, TapeOp::neg_mul_add})
    for (int mask = 1; mask < 8; ++mask) {
      const auto pick = [&](int bit, const std::vector<float>& numbers) {
        return (mask >> bit & 1 ? numbers : x).data();
      };
      const auto run = [&](int flags, const std::vector<float>& numbers, std::vector<float>& out) {
        block_function(op, DType::f32, DType::f32, flags)(pick(0, numbers), pick(1, numbers),
                                                          pick(2, numbers), out.data(), 67);
      };
      run(0, y, plain);
      const bool three = op == TapeOp::mul_add || op == TapeOp::neg_mul_add;
      run(mask & (three ? 7 : 3), one, uniform);
      EXPECT_EQ(std::memcmp(plain.data(), uniform.data(), sizeof(float) * 67), 0)
          << to_string(op) << " " << mask;
    }
}

// Groups do what their instructions do one by one, to the bit, at every length.
TEST(Block, AGroupIsItsInstructions) {
  const std::vector<float> s(67, 0.9f), t(67, 0.1f), epsilon(67, 1e-8f);
  std::vector<float> x(67), y(67), v(67), a(67), b(67), c(67), d(67), found(67);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = std::sin(static_cast<float>(i)), y[i] = std::cos(static_cast<float>(3 * i));
    v[i] = 0.01f + static_cast<float>(i % 7);
  }
  const auto run = [](TapeOp op, const std::vector<float>& p, const std::vector<float>& q,
                      const std::vector<float>& r, std::vector<float>& out) {
    block_function(op, DType::f32, DType::f32)(p.data(), q.data(), r.data(), out.data(), 67);
  };
  const auto expect = [&](GroupFunction group, std::array<const float*, kMaxGroupOperands> operands,
                          const std::vector<float>& expected) {
    for (int64_t n = 1; n <= 67; ++n) {
      std::fill(found.begin(), found.end(), 5.0f);
      group(operands.data(), found.data(), n);
      for (size_t i = 0; i < 67; ++i)
        ASSERT_EQ(found[i], static_cast<int64_t>(i) < n ? expected[i] : 5.0f) << n << " " << i;
    }
  };
  const GroupFunctions& all = group_functions();
  run(TapeOp::mul, x, s, x, a);
  run(TapeOp::mul_add, y, t, a, b);
  expect(all.blend, {x.data(), s.data(), y.data(), t.data(), x.data(), x.data(), x.data()}, b);
  run(TapeOp::mul, y, y, y, c);
  run(TapeOp::mul_add, c, t, a, b);
  expect(all.blend_square, {x.data(), s.data(), y.data(), t.data(), x.data(), x.data(), x.data()}, b);
  run(TapeOp::sqrt, v, v, v, a);
  run(TapeOp::mul_add, a, s, epsilon, b);
  run(TapeOp::div, x, b, b, c);
  run(TapeOp::neg_mul_add, c, t, y, d);
  expect(all.adam_step, {v.data(), s.data(), epsilon.data(), x.data(), t.data(), y.data(), v.data()}, d);
  run(TapeOp::mul, y, s, s, a);
  run(TapeOp::neg_mul_add, c, t, a, d);
  expect(all.adam_step_of_decayed,
         {v.data(), s.data(), epsilon.data(), x.data(), t.data(), y.data(), s.data()}, d);
}

}  // namespace
}  // namespace temper::cpu
