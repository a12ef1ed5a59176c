// Convolutions of 3 x 3 windows and their gradients by fewer multiplications.
#include "devices/cpu/winograd.h"

#include <cmath>

#include "ops/composites.h"
#include "ops/primitives.h"
#include "ops/rows.h"
#include "run.h"

namespace temper {

namespace {

struct Case {
  std::string name;
  int64_t batch, in, out, rows, columns;
  Ints low, high;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

Shape result_shape(const Case& c) {
  return {c.batch, c.out, c.rows + c.low[0] + c.high[0] - 2, c.columns + c.low[1] + c.high[1] - 2};
}

// y, then the gradients for dy: of x, and of w as w - dw, so that it lies as w does. w is in f32 always.
Graph network(const Case& c, DType dtype) {
  Graph graph;
  Builder b(graph);
  const ops::Conv2d attributes{.low = c.low, .high = c.high};
  const Shape x_shape{c.batch, c.in, c.rows, c.columns}, w_shape{c.out, c.in, 3, 3};
  const Value x = b.input("x", {dtype, x_shape}), w = b.input("w", {DType::f32, w_shape}),
              dy = b.input("dy", {dtype, result_shape(c)});
  const Value cast = ops::convert(b, w, dtype);
  b.output("y", ops::conv2d(b, x, cast, {}, attributes));
  b.output("dx", ops::conv_input_grad(b, dy, cast, x_shape, attributes));
  Attributes of_weights = graph.node(ops::conv_weight_grad(b, x, dy, w_shape, attributes)).attributes;
  of_weights.set("result", DType::f32);
  b.output("w", ops::sub(b, w, b.emit(conv_weight_grad_op, {x, dy}, std::move(of_weights))));
  graph.donations.push_back({1, 2});
  return graph;
}

// The sums of the definition, in double: of single elements, for all of them would take long.
class Reference {
 public:
  Reference(const Case& c, const std::vector<Tensor>& inputs)
      : c_(c),
        y_(result_shape(c)),
        x(to_doubles(inputs[0])),
        w(to_doubles(inputs[1])),
        dy(to_doubles(inputs[2])) {}

  double y(int64_t n, int64_t o, int64_t i, int64_t j) const {
    double sum = 0;
    for (int64_t k = 0; k < c_.in; ++k)
      each_tap([&](int64_t r, int64_t s) { sum += weight(o, k, r, s) * input(n, k, i + r, j + s); });
    return sum;
  }
  double dx(int64_t n, int64_t k, int64_t i, int64_t j) const {
    double sum = 0;
    for (int64_t o = 0; o < c_.out; ++o)
      each_tap([&](int64_t r, int64_t s) {
        sum += weight(o, k, r, s) * seed(n, o, i + c_.low[0] - r, j + c_.low[1] - s);
      });
    return sum;
  }
  double dw(int64_t o, int64_t k, int64_t r, int64_t s) const {
    double sum = 0;
    for (int64_t n = 0; n < c_.batch; ++n)
      for (int64_t i = 0; i < y_.size(2); ++i)
        for (int64_t j = 0; j < y_.size(3); ++j) sum += seed(n, o, i, j) * input(n, k, i + r, j + s);
    return sum;
  }

 private:
  template <class Body>
  static void each_tap(Body body) {
    for (int64_t r = 0; r < 3; ++r)
      for (int64_t s = 0; s < 3; ++s) body(r, s);
  }
  static double at(const std::vector<double>& values, const Shape& shape, int64_t a, int64_t b, int64_t c,
                   int64_t d) {
    if (c < 0 || d < 0 || c >= shape.size(2) || d >= shape.size(3)) return 0;
    return values[static_cast<size_t>(((a * shape.size(1) + b) * shape.size(2) + c) * shape.size(3) + d)];
  }
  double input(int64_t n, int64_t k, int64_t i, int64_t j) const {
    return at(x, {c_.batch, c_.in, c_.rows, c_.columns}, n, k, i - c_.low[0], j - c_.low[1]);
  }
  double weight(int64_t o, int64_t k, int64_t r, int64_t s) const {
    return at(w, {c_.out, c_.in, 3, 3}, o, k, r, s);
  }
  double seed(int64_t n, int64_t o, int64_t i, int64_t j) const { return at(dy, y_, n, o, i, j); }

  const Case& c_;
  const Shape y_;
  const std::vector<double> x, w, dy;
};

// Compares about `count` elements spread over the tensor.
template <class Expected>
void expect_elements(const Tensor& found, int64_t count, double tolerance, const Expected& expected) {
  const Shape& shape = found.shape();
  const std::vector<double> values = to_doubles(found);
  const int64_t elements = shape.elements(), step = std::max<int64_t>(1, elements / count) | 1;
  for (int64_t at = 0; at < elements; at += step) {
    const int64_t d = at % shape.size(3), c = at / shape.size(3) % shape.size(2),
                  b = at / shape.size(3) / shape.size(2) % shape.size(1),
                  a = at / shape.size(3) / shape.size(2) / shape.size(1);
    ASSERT_NEAR(values[static_cast<size_t>(at)], expected(a, b, c, d), tolerance)
        << "at " << a << ", " << b << ", " << c << ", " << d;
  }
}

std::vector<Tensor> inputs_of(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
  return inputs;
}

// error(n): what is allowed for a sum of n products of such numbers.
template <class Error>
void expect_definition(const Case& c, const std::vector<Tensor>& inputs, const std::vector<Tensor>& found,
                       const Error& error) {
  const Reference reference(c, inputs);
  expect_elements(found[0], 500, error(9.0 * static_cast<double>(c.in)),
                  [&](auto... at) { return reference.y(at...); });
  expect_elements(found[1], 500, error(9.0 * static_cast<double>(c.out)),
                  [&](auto... at) { return reference.dx(at...); });
  const std::vector<double> w = to_doubles(inputs[1]);
  expect_elements(found[2], 500, error(static_cast<double>(c.batch * c.rows * c.columns)),
                  [&](int64_t o, int64_t k, int64_t r, int64_t s) {
                    return w[static_cast<size_t>(((o * c.in + k) * 3 + r) * 3 + s)] -
                           reference.dw(o, k, r, s);
                  });
}

class WinogradTest : public testing::TestWithParam<Case> {};

TEST_P(WinogradTest, GivesTheSumsOfTheDefinitionForAnyTeam) {
  const Case& c = GetParam();
  const Graph graph = network(c, DType::f32);
  const auto executable = load(graph, {.threads = 2});
  EXPECT_EQ(executable->program().inputs[1].layout, cpu::winograd_weight_layout());
  const std::vector<Tensor> inputs = inputs_of(graph), found = run(*executable, inputs);
  for (const int threads : {1, 3}) expect_same_bits(run(graph, inputs, {.threads = threads}), found);
  // A plain sum of n such terms in f32 is wrong by 6e-9 n (root mean square), by ten times that at worst.
  expect_definition(c, inputs, found, [](double terms) { return 1.5e-7 * terms; });
}

class WinogradBf16Test : public testing::TestWithParam<Case> {};

TEST_P(WinogradBf16Test, GivesTheSumsOfTheDefinitionForAnyTeam) {
  if (!cpu::winograd_takes_bf16()) GTEST_SKIP() << "skipped, because this processor has no use for it";
  const Case& c = GetParam();
  const Graph graph = network(c, DType::bf16);
  const auto executable = load(graph, {.threads = 2});
  EXPECT_EQ(executable->program().inputs[1].layout, cpu::winograd_weight_layout());
  const std::vector<Tensor> inputs = inputs_of(graph), found = run(*executable, inputs);
  for (const int threads : {1, 3}) expect_same_bits(run(graph, inputs, {.threads = threads}), found);
  // Such a sum is about sqrt(n) / 3. Rounding is 1.1 % of it, 1.8 % in the corners of tiles (root mean
  // squares).
  expect_definition(c, inputs, found, [](double terms) { return 4.5 * 0.018 / 3 * std::sqrt(terms); });
}

INSTANTIATE_TEST_SUITE_P(Shapes, WinogradTest,
                         testing::Values(Case{"whole tiles", 2, 64, 64, 16, 16, {1, 1}, {1, 1}},
                                         Case{"tiles over the edge", 3, 64, 80, 14, 15, {1, 1}, {1, 1}},
                                         Case{"several blocks", 5, 64, 112, 33, 30, {1, 1}, {1, 1}},
                                         Case{"no padding", 4, 96, 64, 19, 18, {0, 0}, {0, 0}},
                                         Case{"padding of one side", 4, 64, 64, 17, 20, {2, 0}, {0, 1}},
                                         Case{"many channels", 20, 256, 128, 7, 7, {1, 1}, {1, 1}}));

INSTANTIATE_TEST_SUITE_P(Shapes, WinogradBf16Test,
                         testing::Values(Case{"whole tiles", 16, 64, 64, 16, 16, {1, 1}, {1, 1}},
                                         Case{"tiles over the edge", 20, 64, 80, 27, 28, {1, 1}, {1, 1}},
                                         Case{"several blocks", 9, 64, 112, 33, 30, {1, 1}, {1, 1}},
                                         Case{"an odd number", 15, 128, 128, 12, 12, {1, 1}, {1, 1}},
                                         Case{"padding of one side", 16, 64, 64, 17, 20, {2, 0}, {0, 1}},
                                         Case{"many channels", 40, 256, 128, 7, 7, {1, 1}, {1, 1}}));

TEST(Winograd, AddsWhatFollowsInBf16) {
  if (!cpu::winograd_takes_bf16()) GTEST_SKIP() << "skipped, because this processor has no use for it";
  const Case c{"", 16, 64, 64, 16, 18, {1, 1}, {1, 1}};
  const auto graph_of = [&](bool follows) {
    Graph graph;
    Builder b(graph);
    const Value x = b.input("x", {DType::bf16, {c.batch, c.in, c.rows, c.columns}}),
                w = b.input("w", {DType::f32, {c.out, c.in, 3, 3}}),
                z = b.input("z", {DType::bf16, result_shape(c)});
    const Value y = ops::conv2d(b, x, ops::convert(b, w, DType::bf16), {}, {.low = c.low, .high = c.high});
    b.output("y", follows ? ops::min(b, ops::max(b, ops::add(b, y, z), 0), 6) : y);
    return graph;
  };
  const auto plain_kernel = load(graph_of(false)), whole_kernel = load(graph_of(true));
  for (const auto* each : {&plain_kernel, &whole_kernel})
    EXPECT_EQ((*each)->program().inputs[1].layout, cpu::winograd_weight_layout());
  EXPECT_EQ(whole_kernel->launches().size(), plain_kernel->launches().size());
  const std::vector<Tensor> inputs = inputs_of(graph_of(true));
  const std::vector<double> plain = to_doubles(run(*plain_kernel, inputs)[0]),
                            found = to_doubles(run(*whole_kernel, inputs)[0]), z = to_doubles(inputs[2]);
  // Both are rounded to 8 bits, by half of the last at most.
  for (size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], std::clamp(plain[i] + z[i], 0.0, 6.0),
                (std::abs(plain[i]) + std::abs(found[i])) / 256)
        << i;
}

TEST(Winograd, AddsABiasAndWhatFollows) {
  const Case c{"", 2, 64, 64, 16, 18, {1, 1}, {1, 1}};
  const auto graph_of = [&](bool follows) {
    Graph graph;
    Builder b(graph);
    const Value x = b.input("x", {DType::f32, {c.batch, c.in, c.rows, c.columns}}),
                w = b.input("w", {DType::f32, {c.out, c.in, 3, 3}}),
                bias = b.input("bias", {DType::f32, {c.out}}),
                z = b.input("z", {DType::f32, result_shape(c)});
    const Value y = ops::conv2d(b, x, w, follows ? bias : Value{}, {.low = c.low, .high = c.high});
    b.output("y", follows ? ops::min(b, ops::max(b, ops::add(b, y, z), 0), 6) : y);
    return graph;
  };
  const Graph whole = graph_of(true);
  std::vector<Tensor> inputs;
  for (const Port& port : whole.inputs) inputs.push_back(filled(whole.type(port.value), inputs.size() + 1));
  EXPECT_EQ(load(whole)->launches().size(), load(graph_of(false))->launches().size());
  const std::vector<double> plain = to_doubles(run(graph_of(false), inputs)[0]),
                            found = to_doubles(run(whole, inputs)[0]), bias = to_doubles(inputs[2]),
                            z = to_doubles(inputs[3]);
  const int64_t places = result_shape(c).size(2) * result_shape(c).size(3);
  for (size_t i = 0; i < found.size(); ++i) {
    const auto channel = static_cast<size_t>(static_cast<int64_t>(i) / places % c.out);
    ASSERT_NEAR(found[i], std::clamp(plain[i] + bias[channel] + z[i], 0.0, 6.0), 1e-5) << i;
  }
}

TEST(Winograd, LeavesAloneWhatItDoesNotPayFor) {
  const cpu::Convolution wide{.dtype = DType::f32,
                              .x = {32, 64, 56, 56},
                              .w = {64, 64, 3, 3},
                              .y = {32, 64, 56, 56},
                              .strides = {1, 1},
                              .low = {1, 1},
                              .high = {1, 1},
                              .dilations = {1, 1}};
  EXPECT_TRUE(cpu::winograd_pays(wide));
  const auto refused = [&](auto change) {
    cpu::Convolution other = wide;
    change(other);
    return !cpu::winograd_pays(other);
  };
  EXPECT_TRUE(refused([](auto& c) { c.dtype = c.gradient = DType::f16; }));
  EXPECT_TRUE(refused([](auto& c) { c.strides = {2, 2}; }));
  EXPECT_TRUE(refused([](auto& c) { c.dilations = {2, 2}; }));
  EXPECT_TRUE(refused([](auto& c) { c.w = {64, 64, 5, 5}; }));
  EXPECT_TRUE(refused([](auto& c) { c.w = {64, 3, 3, 3}, c.x = {32, 3, 56, 56}; }));
  EXPECT_TRUE(refused([](auto& c) { c.groups = 4; }));
  EXPECT_TRUE(refused([](auto& c) { c.x = {1, 64, 7, 7}, c.y = {1, 64, 7, 7}; }))
      << "few tiles for the weights";
}

}  // namespace

}  // namespace temper
