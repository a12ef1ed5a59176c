// Composites and their gradients against numbers from PyTorch (goldens.py), in double.
#include "ops/composites.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/philox.h"
#include "goldens.h"
#include "grad/gradient.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "ops/random.h"
#include "ops/registry.h"
#include "ops/samples.h"
#include "support/expect_error.h"
#include "support/wave.h"

namespace temper {
namespace {

Tensor wave(const Shape& shape, double phase) { return temper::wave(Type{DType::f64, shape}, phase); }

Tensor each(const Tensor& x, double (*f)(double)) {
  std::vector<double> values = to_doubles(x);
  for (double& value : values) value = f(value);
  return Tensor::from<double>(x.shape(), values);
}

void expect_golden(std::string_view name, const Tensor& found, double tolerance = 1e-13) {
  const auto golden = kGoldens.find(name);
  ASSERT_NE(golden, kGoldens.end()) << name;
  const std::vector<double> values = to_doubles(found);
  ASSERT_EQ(values.size(), golden->second.size()) << name;
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], golden->second[i], tolerance) << name << " at " << i;
}

// A graph with named inputs, and y made of them by `make`.
struct Case {
  std::vector<std::pair<std::string, Tensor>> inputs;
  std::function<Value(Builder&, std::span<const Value>)> make;
};

// Compares y with NAME.y, and the gradients of sum(wave(0.4) y) with NAME.dINPUT where there is such a
// golden.
void expect_goldens(const std::string& name, const Case& c) {
  SCOPED_TRACE(name);
  Graph graph;
  Builder b(graph);
  std::vector<Value> values;
  std::vector<Tensor> tensors;
  for (const auto& [input, tensor] : c.inputs) {
    values.push_back(b.input(input, tensor.type()));
    tensors.push_back(tensor);
  }
  const Value y = c.make(b, values);
  b.output("y", y);
  std::vector<Value> wrt;
  std::vector<std::string> names;
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string golden = concat(name, ".d", c.inputs[i].first);
    if (!kGoldens.contains(golden)) continue;
    wrt.push_back(values[i]);
    names.push_back(golden);
  }
  const std::vector<Value> gradients = gradient(b, y, wrt, b.constant(wave(b.shape(y), 0.4)));
  for (size_t i = 0; i < gradients.size(); ++i) b.output(names[i], gradients[i]);
  verify(graph);
  const std::vector<Tensor> results = interpret(graph, tensors);
  expect_golden(name + ".y", results[0]);
  for (size_t i = 0; i < names.size(); ++i) expect_golden(names[i], results[i + 1]);
}

Tensor evaluate(const std::function<Value(Builder&)>& make) {
  Graph graph;
  Builder b(graph);
  b.output("y", make(b));
  return interpret(graph, {}).front();
}

TEST(Composites, ConvolutionIsPyTorchs) {
  const ops::Conv2d conv{.strides = {2, 1}, .low = {1, 1}, .high = {1, 1}, .dilations = {1, 2}, .groups = 2};
  expect_goldens("conv2d",
                 {{{"x", wave({1, 2, 5, 4}, 0.1)}, {"w", wave({4, 1, 3, 2}, 0.2)}, {"bias", wave({4}, 0.3)}},
                  [&](Builder& b, auto v) { return ops::conv2d(b, v[0], v[1], v[2], conv); }});
}

TEST(Composites, PoolsArePyTorchs) {
  const Tensor x = wave({1, 1, 5, 6}, 0.1), ties = each(x, std::nearbyint);
  const ops::Pool2d overlapping{.window = {3, 3}, .strides = {2, 2}, .low = {1, 1}, .high = {1, 1}};
  const ops::Pool2d wide{.window = {2, 3}, .strides = {1, 2}, .low = {1, 1}, .high = {1, 1}};
  const auto max_pool = [&](Builder& b, auto v) { return ops::max_pool(b, v[0], overlapping); };
  expect_goldens("max_pool", {{{"x", x}}, max_pool});
  expect_goldens("max_pool_ties", {{{"x", ties}}, max_pool});
  expect_goldens("avg_pool", {{{"x", x}}, [&](Builder& b, auto v) {
                                return ops::avg_pool(b, v[0], overlapping, false);
                              }});
  expect_goldens("avg_pool_padding",
                 {{{"x", x}}, [&](Builder& b, auto v) { return ops::avg_pool(b, v[0], wide, true); }});
}

TEST(Composites, MaxPoolGradientTakesTheFirstOfEqualEntries) {
  const Tensor dx = evaluate([](Builder& b) {
    const Value x = ops::full(b, {DType::f64, {1, 1, 3, 3}}, 2),
                dy = ops::full(b, {DType::f64, {1, 1, 2, 2}}, 1);
    return ops::max_pool_grad(b, x, dy, {.window = {2, 2}});
  });
  EXPECT_EQ(to_doubles(dx), (std::vector<double>{1, 1, 0, 1, 1, 0, 0, 0, 0}));
}

TEST(Composites, SoftmaxAndCrossEntropyArePyTorchs) {
  const Tensor x = wave({3, 4}, 0.1);
  expect_goldens("softmax",
                 {{{"x", x}}, [](Builder& b, auto v) { return ops::softmax(b, ops::mul(b, v[0], 3), 1); }});
  expect_goldens("log_softmax", {{{"x", x}}, [](Builder& b, auto v) {
                                   return ops::log_softmax(b, ops::mul(b, v[0], 3), 0);
                                 }});
  const Tensor labels = Tensor::from<int64_t>({3}, std::vector<int64_t>{2, -1, 0});
  expect_goldens("cross_entropy", {{{"logits", x}, {"labels", labels}}, [](Builder& b, auto v) {
                                     return ops::cross_entropy(b, v[0], v[1], 0.1);
                                   }});
}

TEST(Composites, NormsArePyTorchs) {
  const Tensor x = wave({2, 2, 3}, 0.1), scale = wave({2, 3}, 0.2);
  expect_goldens("layer_norm",
                 {{{"x", x}, {"scale", scale}, {"bias", wave({2, 3}, 0.3)}},
                  [](Builder& b, auto v) { return ops::layer_norm(b, v[0], v[1], v[2], 1, 1e-3).y; }});
  expect_goldens("rms_norm", {{{"x", x}, {"scale", wave({3}, 0.2)}},
                              [](Builder& b, auto v) { return ops::rms_norm(b, v[0], v[1], 2, 1e-3); }});
  const Tensor variance = each(wave({3}, 0.6), [](double v) { return v * v + 0.5; });
  Case norm{{{"x", wave({2, 3, 2}, 0.1)}, {"scale", wave({3}, 0.2)}, {"bias", wave({3}, 0.3)}},
            [](Builder& b, auto v) { return ops::batch_norm_train(b, v[0], v[1], v[2], 1e-3).y; }};
  expect_goldens("batch_norm_train", norm);
  norm.inputs.insert(norm.inputs.end(), {{"mean", wave({3}, 0.5)}, {"variance", variance}});
  norm.make = [](Builder& b, auto v) {
    return ops::batch_norm_infer(b, v[0], v[1], v[2], v[3], v[4], 1e-3, 0.9);
  };
  expect_goldens("batch_norm_infer", norm);
}

TEST(Composites, BatchNormGivesTheBatchsStatistics) {
  Graph graph;
  Builder b(graph);
  const Value one = ops::full(b, {DType::f64, {1}}, 1);
  const Value x = b.constant(Tensor::from<double>({4, 1}, std::vector<double>{1, 2, 3, 6}));
  const ops::BatchNormResult result = ops::batch_norm_train(b, x, one, one, 0);
  b.output("mean", result.mean);
  b.output("variance", result.variance);
  const std::vector<Tensor> results = interpret(graph, {});
  EXPECT_EQ(to_doubles(results[0]), std::vector<double>{3});
  EXPECT_EQ(to_doubles(results[1]), std::vector<double>{3.5});  // biased: (4 + 1 + 0 + 9) / 4
}

TEST(Composites, ErfIsExact) {
  std::vector<double> points;
  for (double x = -7; x <= 7; x += 0.0137) points.push_back(x);
  points.insert(points.end(),
                {0.0, 0.46875, -0.46875, 0.4687500001, 4, 5.9999, 6, 1e-300, 1e300, INFINITY, -INFINITY});
  const Shape shape{static_cast<int64_t>(points.size())};
  const std::vector<double> found = to_doubles(
      evaluate([&](Builder& b) { return ops::erf(b, b.constant(Tensor::from<double>(shape, points))); }));
  for (size_t i = 0; i < points.size(); ++i) EXPECT_NEAR(found[i], std::erf(points[i]), 1e-15) << points[i];
  const Tensor nan = evaluate([](Builder& b) { return ops::erf(b, b.scalar(DType::f64, NAN)); });
  EXPECT_TRUE(std::isnan(to_doubles(nan).front()));
}

TEST(Composites, GeluIsPyTorchs) {
  const Tensor x = each(wave({11}, 0.1), [](double v) { return 4 * v; });
  expect_goldens("gelu", {{{"x", x}}, [](Builder& b, auto v) { return ops::gelu(b, v[0], false); }});
  expect_goldens("gelu_tanh", {{{"x", x}}, [](Builder& b, auto v) { return ops::gelu(b, v[0], true); }});
}

TEST(Composites, EmbeddingAddsUpRepeatedRows) {
  Graph graph;
  Builder b(graph);
  const Value table = b.input("table", {DType::f64, {3, 2}});
  const Value ids = b.constant(Tensor::from<int64_t>({3}, std::vector<int64_t>{2, 0, 2}));
  const Value y = ops::embedding(b, table, ids);
  const Value seed = b.constant(Tensor::from<double>({3, 2}, std::vector<double>{1, 2, 3, 4, 5, 6}));
  b.output("y", y);
  b.output("dtable", gradient(b, y, std::span(&table, 1), seed).front());
  const Tensor rows = Tensor::from<double>({3, 2}, std::vector<double>{10, 11, 20, 21, 30, 31});
  const std::vector<Tensor> results = interpret(graph, std::span(&rows, 1));
  EXPECT_EQ(to_doubles(results[0]), (std::vector<double>{30, 31, 10, 11, 30, 31}));
  EXPECT_EQ(to_doubles(results[1]), (std::vector<double>{3, 4, 0, 0, 6, 8}));
}

ops::Resize to_6x7(std::string_view mode, std::string_view coordinates) {
  return {.sizes = {-1, -1, 6, 7},
          .scales = {1, 1, 1.5, 1.4},
          .mode = std::string(mode),
          .coordinates = std::string(coordinates)};
}

TEST(Composites, ResizeIsPyTorchs) {
  const Tensor x = wave({1, 1, 4, 5}, 0.1);
  const auto resized = [&](const ops::Resize& r) {
    return evaluate([&](Builder& b) { return ops::resize(b, b.constant(x), r); });
  };
  expect_goldens("resize_linear", {{{"x", x}}, [](Builder& b, auto v) {
                                     return ops::resize(b, v[0], to_6x7("linear", "half_pixel"));
                                   }});
  expect_golden("resize_corners", resized(to_6x7("linear", "align_corners")));
  expect_golden("resize_cubic", resized(to_6x7("cubic", "half_pixel")));
  ops::Resize nearest = to_6x7("nearest", "asymmetric");
  nearest.nearest = "floor";
  expect_golden("resize_nearest", resized(nearest));
}

TEST(Composites, ResizeCropsAndExtrapolates) {
  const Tensor y = evaluate([](Builder& b) {
    const Value x = b.constant(Tensor::from<double>({3}, std::vector<double>{1, 2, 4}));
    return ops::resize(b, x,
                       {.sizes = {4},
                        .scales = {4.0 / 3},
                        .mode = "linear",
                        .coordinates = "tf_crop_and_resize",
                        .roi = {0.5, 1.25},
                        .extrapolation = -9});
  });
  const std::vector<double> expected{2, 3, 4, -9};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(to_doubles(y)[i], expected[i], 1e-12);
}

// Known answers of Random123 (kat_vectors, philox4x32 10).
struct KnownWords {
  PhiloxCounter counter;
  PhiloxKey key;
  PhiloxCounter words;
};
constexpr KnownWords kKnownWords[]{
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};

Value key_value(Builder& b, PhiloxKey key) { return b.constant(Tensor::from<uint32_t>({2}, key)); }

std::vector<uint32_t> words(const Tensor& tensor) {
  const std::span<const uint32_t> values = tensor.values<uint32_t>();
  return {values.begin(), values.end()};
}

TEST(Random, WordsAreThePublishedOnes) {
  for (const KnownWords& known : kKnownWords) {
    EXPECT_EQ(philox(known.counter, known.key), known.words);
    for (size_t word = 0; word < 4; ++word) {
      const Tensor found = evaluate([&](Builder& b) {
        std::array<Value, 4> counter;
        for (size_t i = 0; i < 4; ++i) counter[i] = b.constant(Tensor::scalar(known.counter[i]));
        return ops::philox(b, counter, key_value(b, known.key))[word];
      });
      EXPECT_EQ(words(found), std::vector<uint32_t>{known.words[word]});
    }
  }
}

TEST(Random, GraphAndHostAgree) {
  constexpr PhiloxKey kKey{7, 0xfedcba98};
  const Tensor bits = evaluate([&](Builder& b) { return ops::random_bits(b, key_value(b, kKey), {2, 3}); });
  for (uint64_t i = 0; i < 6; ++i) EXPECT_EQ(words(bits)[i], random_word(kKey, i));
  const Tensor uniform =
      evaluate([&](Builder& b) { return ops::random_uniform(b, key_value(b, kKey), {5}); });
  for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(uniform.values<float>()[i], unit_float(random_word(kKey, i)));
  const uint64_t data = 0x123456789abcdef0;
  const PhiloxKey folded = fold_in(kKey, data);
  const Tensor key = evaluate([&](Builder& b) { return ops::fold_in(b, key_value(b, kKey), data); });
  EXPECT_EQ(words(key), (std::vector<uint32_t>{folded[0], folded[1]}));
}

TEST(Random, DropoutKeepsTheShareAndTheMeanAndItsGradientHasTheSameMask) {
  constexpr PhiloxKey kKey{1, 2};
  constexpr double kRate = 0.3;
  Graph graph;
  Builder b(graph);
  const Value x = ops::full(b, {DType::f32, {100, 100}}, 1);
  const Value y = ops::dropout(b, x, key_value(b, kKey), kRate, 5);
  b.output("y", y);
  b.output("dx", gradient(b, y, std::span(&x, 1)).front());
  const std::vector<Tensor> results = interpret(graph, {});
  EXPECT_EQ(to_doubles(results[0]), to_doubles(results[1]));
  const PhiloxKey stream = fold_in(kKey, 5);
  double sum = 0;
  for (uint64_t i = 0; i < 10000; ++i) {
    const float value = results[0].values<float>()[i];
    const bool keep = random_word(stream, i) >= static_cast<uint32_t>(kRate * 0x1p32);
    EXPECT_FLOAT_EQ(value, keep ? 1 / 0.7f : 0);
    sum += value;
  }
  EXPECT_NEAR(sum / 10000, 1, 0.02);  // three standard deviations
}

// As a device without a kernel of its own computes them: every intermediate result rounded to its dtype.
TEST(Composites, DecompositionsHoldInTheirOwnPrecision) {
  for (const Op* op : all_ops()) {
    if (op->primitive) continue;
    for (const Sample& sample : op->samples()) {
      SCOPED_TRACE(concat(op->name, ", sample ", sample.name));
      const Graph graph = sample_graph(*op, sample);
      const std::vector<Tensor> inputs = sample_inputs(*op, sample);
      const std::vector<Tensor> exact = interpret(graph, inputs);
      const std::vector<Tensor> rounded = interpret(graph, inputs, Rounding::every_node);
      for (size_t i = 0; i < exact.size(); ++i) {
        const DType dtype = exact[i].dtype();
        const double unit = dtype == DType::bf16 ? 0x1p-8 : dtype == DType::f16 ? 0x1p-11 : 0x1p-24;
        const std::vector<double> x = to_doubles(exact[i]), y = to_doubles(rounded[i]);
        double largest = 0, error = 0;
        for (size_t k = 0; k < x.size(); ++k) {
          largest = std::max(largest, std::abs(x[k]));
          error = std::max(error, std::abs(x[k] - y[k]));
        }
        EXPECT_LE(error, 16 * unit * largest) << "result " << i;
      }
    }
  }
}

TEST(Composites, ShapesMayHaveASymbolicBatch) {
  Graph graph;
  Builder b(graph);
  const Dim n = Dim::symbol("N");
  const auto f32 = [](Shape shape) { return Type{DType::f32, std::move(shape)}; };
  const Value x = b.input("x", f32({n, 3, 8, 8})), w = b.input("w", f32({4, 3, 3, 3})),
              c = b.input("c", f32({4}));
  Value y = ops::conv2d(b, x, w, {}, {.low = {1, 1}, .high = {1, 1}});
  y = ops::batch_norm_train(b, y, c, c, 1e-5).y;
  y = ops::max_pool(b, y, {.window = {2, 2}, .strides = {2, 2}});
  y = ops::dropout(b, y, b.input("key", {DType::u32, {2}}), 0.5, 1);
  y = ops::reshape(b, ops::avg_pool(b, y, {.window = {4, 4}}, false), {n, 4});
  y = ops::cross_entropy(b, y, b.input("labels", {DType::i64, {n}}), 0.1);
  EXPECT_EQ(b.type(y), f32({n}));
  const Value loss = ops::reduce_sum(b, y, {0});
  const std::vector<Value> wrt{x, w, c};
  const std::vector<Value> gradients = gradient(b, loss, wrt);
  for (size_t i = 0; i < wrt.size(); ++i) EXPECT_EQ(b.type(gradients[i]), b.type(wrt[i]));
  verify(graph);
}

void expect_refused(const std::function<void(Builder&)>& make, const std::string& part) {
  Graph graph;
  Builder b(graph);
  expect_error(ErrorKind::invalid, part, [&] { make(b); });
}

TEST(Composites, WrongShapesAreRefusedByName) {
  const auto f32 = [](Builder& b, Shape shape) { return b.input("x", {DType::f32, std::move(shape)}); };
  expect_refused([&](Builder& b) { ops::conv2d(b, f32(b, {1, 3, 8, 8}), f32(b, {4, 2, 3, 3}), {}, {}); },
                 "weight [4, 2, 3, 3] does not fit input [1, 3, 8, 8]");
  expect_refused([&](Builder& b) { ops::conv2d(b, f32(b, {1, 3, 2, 8}), f32(b, {4, 3, 3, 3}), {}, {}); },
                 "a window of 3 does not fit into 2");
  expect_refused(
      [&](Builder& b) { ops::max_pool(b, f32(b, {1, 3, 8, 8}), {.window = {2, 2}, .strides = {0, 1}}); },
      "strides must be two numbers");
  expect_refused([&](Builder& b) { ops::softmax(b, f32(b, {2, 3}), 2); },
                 "axis 2 is not in a tensor of rank 2");
  expect_refused([&](Builder& b) { ops::dropout_infer(b, f32(b, {2, 3}), 1); }, "rate must be in [0, 1)");
  expect_refused(
      [&](Builder& b) { ops::resize(b, f32(b, {2}), {.sizes = {4}, .scales = {2}, .mode = "bilinear"}); },
      "mode must be one of nearest, linear, cubic, is bilinear");
}

}  // namespace
}  // namespace temper
