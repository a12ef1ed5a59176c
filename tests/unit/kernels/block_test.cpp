// Instructions of a tape against libm in double: how many units in the last place they are off.
#include "devices/cpu/kernels/block.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
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
      EXPECT_EQ(plain, uniform) << to_string(op) << " " << mask;
    }
}

// Groups do what their instructions do one by one, to the bit, at every length, in place too.
TEST(Block, AGroupIsItsInstructions) {
  using Floats = std::vector<float>;
  const auto all_of = [](float number) { return Floats(67, number); };
  const Floats s = all_of(0.9f), t = all_of(0.1f), s2 = all_of(0.99f), t2 = all_of(0.01f),
               root = all_of(1.3f), epsilon = all_of(1e-8f), rate = all_of(1e-3f), kept = all_of(0.999f),
               scale = all_of(0.7f), s3 = all_of(0.95f), t3 = all_of(0.05f);
  Floats m(67), g(67), v(67), p(67), average(67);
  for (size_t i = 0; i < m.size(); ++i) {
    const auto x = static_cast<float>(i);
    m[i] = std::sin(x), g[i] = std::cos(3 * x), v[i] = 0.01f + static_cast<float>(i % 7),
    p[i] = std::sin(5 * x), average[i] = std::cos(7 * x);
  }
  const auto run = [](TapeOp op, const Floats& a, const Floats& b, const Floats& c = Floats(67)) {
    Floats out(67);
    block_function(op, DType::f32, DType::f32)(a.data(), b.data(), c.data(), out.data(), 67);
    return out;
  };
  struct Expected {
    Floats m, v, p, average;
  };
  const auto expected = [&](int which) {
    using G = GroupFunctions;
    const Floats by = which & G::kScaled ? run(TapeOp::mul, g, scale) : g;
    Expected all{.m = run(TapeOp::mul_add, by, t, run(TapeOp::mul, m, s)),
                 .v = run(TapeOp::mul_add, run(TapeOp::mul, by, by), t2, run(TapeOp::mul, v, s2))};
    const Floats under = run(TapeOp::mul_add, run(TapeOp::sqrt, all.v, all.v), root, epsilon);
    all.p = run(TapeOp::neg_mul_add, run(TapeOp::div, all.m, under), rate,
                which & G::kDecayed ? run(TapeOp::mul, p, kept) : p);
    all.average =
        which & G::kAveraged ? run(TapeOp::mul_add, all.p, t3, run(TapeOp::mul, average, s3)) : average;
    return all;
  };

  const auto expect = [&](GroupFunction group, const Expected& after, int64_t n) {
    Expected now{m, v, p, average};
    const std::array<const float*, kMaxGroupOperands> operands{
        now.m.data(), s.data(),           g.data(),       t.data(),    now.v.data(), s2.data(),
        t2.data(),    root.data(),        epsilon.data(), rate.data(), now.p.data(), kept.data(),
        scale.data(), now.average.data(), s3.data(),      t3.data()};
    const std::array<float*, kMaxGroupResults> results{now.m.data(), now.v.data(), now.p.data(),
                                                       now.average.data()};
    group(operands.data(), results.data(), n);
    for (size_t i = 0; i < 67; ++i) {
      const bool done = static_cast<int64_t>(i) < n;
      ASSERT_EQ(now.m[i], done ? after.m[i] : m[i]) << n << " " << i;
      ASSERT_EQ(now.v[i], done ? after.v[i] : v[i]) << n << " " << i;
      ASSERT_EQ(now.p[i], done ? after.p[i] : p[i]) << n << " " << i;
      ASSERT_EQ(now.average[i], done ? after.average[i] : average[i]) << n << " " << i;
    }
  };
  Expected blended{expected(0).m, v, p, average};
  for (int64_t n = 1; n <= 67; ++n) {
    expect(group_functions().blend, blended, n);
    for (int which = 0; which < 8; ++which)
      expect(group_functions().adam[static_cast<size_t>(which)], expected(which), n);
  }
}

TEST(Block, AGroupLeavesNoTinyNumbers) {
  const float s = 0.9f, t = 0.1f, tiny = 1e-39f, zero = 0;
  float m = tiny;
  std::array<const float*, kMaxGroupOperands> operands;
  operands.fill(&zero);
  operands[0] = &m, operands[1] = &s, operands[3] = &t;
  float rest = 0;
  std::array<float*, kMaxGroupResults> results;
  results.fill(&rest);
  results[0] = &m;
  group_functions().blend(operands.data(), results.data(), 1);
  EXPECT_EQ(m, 0);
  volatile float kept = tiny;  // and they are what they were outside
  EXPECT_GT(kept * 0.5f, 0);
}

// The tape of Adam's update becomes one step, and one of something else does not.
TEST(Block, FindsTheGroupOfAdam) {
  for (const bool scaled : {false, true})
    for (const bool averaged : {false, true}) {
      SCOPED_TRACE(testing::Message() << scaled << averaged);
      Tape tape;
      for (int i = 0; i < 16; ++i) tape.sources.push_back({.kind = TapeSource::tensor});
      const auto uniform = [](int value) {
        return value >= 5 && value < 16;
      };  // 0 m, 1 g, 2 v, 3 p, 4 average
      const auto emit = [&](TapeOp op, std::array<int, 3> operands) {
        tape.code.push_back({op, DType::f32, DType::f32, operands});
        return static_cast<int>(tape.sources.size() + tape.code.size()) - 1;
      };
      const int g = scaled ? emit(TapeOp::mul, {12, 1, -1}) : 1;
      const int m = emit(TapeOp::mul_add, {g, 6, emit(TapeOp::mul, {0, 5, -1})});
      const int square = emit(TapeOp::mul, {g, g, -1});
      const int v = emit(TapeOp::mul_add, {square, 8, emit(TapeOp::mul, {2, 7, -1})});
      const int under = emit(TapeOp::mul_add, {emit(TapeOp::sqrt, {v, -1, -1}), 9, 10});
      const int direction = emit(TapeOp::div, {m, under, -1});
      const int p = emit(TapeOp::neg_mul_add, {direction, 11, emit(TapeOp::mul, {3, 13, -1})});
      const int average = averaged ? emit(TapeOp::mul_add, {p, 15, emit(TapeOp::mul, {4, 14, -1})}) : p;
      std::vector<int> uses(tape.sources.size() + tape.code.size(), 1);
      for (const int twice : {m, v, p}) uses[static_cast<size_t>(twice)] = 2;
      if (scaled) uses[static_cast<size_t>(g)] = 3;
      auto group = find_group(tape, 0, uses, uniform);
      ASSERT_TRUE(group);
      EXPECT_EQ(group->count, tape.code.size());
      const std::array<int, 12> first{0, 5, 1, 6, 2, 7, 8, 9, 10, 11, 3, 13};
      EXPECT_TRUE(std::equal(first.begin(), first.end(), group->operands.begin()));
      if (scaled) EXPECT_EQ(group->operands[12], 12);
      if (averaged)
        EXPECT_EQ((std::array{group->operands[13], group->operands[14], group->operands[15]}),
                  (std::array{4, 14, 15}));
      EXPECT_EQ(group->results, (std::array<int, kMaxGroupResults>{m, v, p, average}));
      EXPECT_EQ(group->function, group_functions().adam[static_cast<size_t>(1 + 2 * scaled + 4 * averaged)]);

      const size_t moment = scaled ? 1 : 0;
      uses[static_cast<size_t>(under)] = 2;  // somebody wants it: only the first moment is one step
      group = find_group(tape, moment, uses, uniform);
      ASSERT_TRUE(group);
      EXPECT_EQ(group->count, 2u);
      EXPECT_EQ(group->function, group_functions().blend);
      EXPECT_FALSE(find_group(tape, moment + 2, uses, uniform));
      if (scaled) EXPECT_FALSE(find_group(tape, 0, uses, uniform));
    }
}

}  // namespace
}  // namespace temper::cpu
