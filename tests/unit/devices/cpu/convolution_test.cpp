#include "convolution_cases.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "run.h"

namespace temper {

namespace {

Graph convolution_graph(const ConvolutionCase& c, DType dtype) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {dtype, c.x}), w = b.input("w", {dtype, c.w});
  const Value bias = b.input("bias", {dtype, {c.w[0]}});
  const Value y = ops::conv2d(b, x, w, bias, c.attributes);
  const Value dy = b.input("dy", b.type(y));
  b.output("y", y);
  b.output("dx", ops::conv_input_grad(b, dy, w, c.x, c.attributes));
  b.output("dw", ops::conv_weight_grad(b, x, dy, c.w, c.attributes));
  return graph;
}

std::vector<Tensor> inputs_for(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
  return inputs;
}

// The three results by the definition, in double.
std::vector<Tensor> by_definition(const ConvolutionCase& c, const Graph& graph,
                                  const std::vector<Tensor>& inputs) {
  const auto x = to_doubles(inputs[0]), w = to_doubles(inputs[1]), bias = to_doubles(inputs[2]),
             dy = to_doubles(inputs[3]);
  const Shape& ys = inputs[3].shape();
  std::vector<double> y(dy.size()), dx(x.size()), dw(w.size());
  const int64_t groups = c.attributes.groups, ins = c.w.size(1), outs = c.w.size(0);
  size_t at = 0;
  for (int64_t n = 0; n < ys.size(0); ++n)
    for (int64_t o = 0; o < outs; ++o)
      for (int64_t i = 0; i < ys.size(2); ++i)
        for (int64_t j = 0; j < ys.size(3); ++j, ++at) {
          y[at] = bias[static_cast<size_t>(o)];
          for (int64_t ch = 0; ch < ins; ++ch)
            for (int64_t k = 0; k < c.w.size(2); ++k)
              for (int64_t l = 0; l < c.w.size(3); ++l) {
                const int64_t row =
                    i * c.attributes.strides[0] - c.attributes.low[0] + k * c.attributes.dilations[0];
                const int64_t col =
                    j * c.attributes.strides[1] - c.attributes.low[1] + l * c.attributes.dilations[1];
                if (row < 0 || col < 0 || row >= c.x.size(2) || col >= c.x.size(3)) continue;
                const int64_t channel = o / (outs / groups) * ins + ch;
                const auto xi = static_cast<size_t>(
                    ((n * c.x.size(1) + channel) * c.x.size(2) + row) * c.x.size(3) + col);
                const auto wi = static_cast<size_t>(((o * ins + ch) * c.w.size(2) + k) * c.w.size(3) + l);
                y[at] += x[xi] * w[wi];
                dx[xi] += dy[at] * w[wi];
                dw[wi] += dy[at] * x[xi];
              }
        }
  return {from_doubles(graph.type(graph.outputs[0].value), y),
          from_doubles(graph.type(graph.outputs[1].value), dx),
          from_doubles(graph.type(graph.outputs[2].value), dw)};
}

}  // namespace

TEST(Convolution, AgreesWithTheDefinition) {
  for (const ConvolutionCase& c : convolution_cases())
    for (const DType dtype : {DType::f32, DType::f64}) {
      SCOPED_TRACE(c.name);
      const Graph graph = convolution_graph(c, dtype);
      const std::vector<Tensor> inputs = inputs_for(graph);
      const auto expected = by_definition(c, graph, inputs);
      expect_close(run(graph, inputs), expected, dtype == DType::f32 ? 2e-6 : 1e-14);
      expect_close(run(graph, inputs, {.deterministic = false}), expected,
                   dtype == DType::f32 ? 2e-6 : 1e-14);
    }
}

TEST(Convolution, AgreesInSixteenBits) {
  for (const ConvolutionCase& c : convolution_cases())
    for (const DType dtype : {DType::bf16, DType::f16}) {
      SCOPED_TRACE(c.name);
      const Graph graph = convolution_graph(c, dtype);
      const std::vector<Tensor> inputs = inputs_for(graph);
      expect_close(run(graph, inputs), by_definition(c, graph, inputs), dtype == DType::bf16 ? 8e-3 : 1e-3);
    }
}

TEST(Convolution, GivesTheSameBitsForOneAndTwoThreads) {
  for (const ConvolutionCase& c : convolution_cases()) {
    SCOPED_TRACE(c.name);
    const Graph graph = convolution_graph(c, DType::f32);
    const std::vector<Tensor> inputs = inputs_for(graph);
    expect_same_bits(run(graph, inputs, {.threads = 2}), run(graph, inputs, {.threads = 1}));
  }
}

TEST(Convolution, TakesActivationsAndResidualsIn) {
  for (const ConvolutionCase& c : convolution_cases()) {
    SCOPED_TRACE(c.name);
    Graph graph;
    Builder b(graph);
    const Value x = b.input("x", {DType::f32, c.x}), w = b.input("w", {DType::f32, c.w});
    const Value bias = b.input("bias", {DType::f32, {c.w[0]}});
    const Value y = ops::conv2d(b, x, w, {}, c.attributes);
    const Value more = b.input("more", b.type(y));
    const Value spread = ops::broadcast_in_dim(b, bias, b.shape(y), {1});
    b.output("z", ops::clamp(b, ops::add(b, more, ops::add(b, y, spread)), 0, 6));
    const std::vector<Tensor> inputs = inputs_for(graph);
    const auto executable = load(graph);
    EXPECT_EQ(executable->program().clusters.size(), 1u);

    Graph alone = convolution_graph(c, DType::f32);
    std::vector<double> expected = to_doubles(by_definition(c, alone, inputs)[0]);
    const std::vector<double> added = to_doubles(inputs[3]);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = std::clamp(expected[i] + added[i], 0.0, 6.0);
    expect_close(run(*executable, inputs), {from_doubles(inputs[3].type(), expected)}, 2e-6);
  }
}

// Cut by output channels, which the layout of the weights holds in blocks of any size.
TEST(Convolution, CutsLargeWeightsWhateverTheirBlocks) {
  for (const int64_t channels : {64, 128, 192, 256}) {
    SCOPED_TRACE(channels);
    const ConvolutionCase c{"large", {2, 32, 6, 6}, {channels, 32, 3, 3}, {.low = {1, 1}, .high = {1, 1}}};
    const Graph graph = convolution_graph(c, DType::f32);
    const std::vector<Tensor> inputs = inputs_for(graph);
    const std::vector<Tensor> found = run(graph, inputs, {.threads = 2});
    expect_close(found, by_definition(c, graph, inputs), 2e-6);
    expect_same_bits(found, run(graph, inputs, {.threads = 1}));
  }
}

// relu(x * w + x * v): the sum can belong to one of the two only.
TEST(Convolution, SharesASumWithAnother) {
  Graph graph;
  Builder b(graph);
  const Shape weights{16, 8, 1, 1};
  const Value x = b.input("x", {DType::f32, {2, 8, 5, 5}});
  const Value w = b.input("w", {DType::f32, weights}), v = b.input("v", {DType::f32, weights});
  const Value sum = ops::add(b, ops::conv2d(b, x, w, {}, {}), ops::conv2d(b, x, v, {}, {}));
  b.output("y", ops::relu(b, sum));
  const std::vector<Tensor> inputs = inputs_for(graph);
  const auto executable = load(graph);
  EXPECT_EQ(executable->program().clusters.size(), 2u);
  expect_close(run(*executable, inputs), interpret(graph, inputs), 2e-6);
}

}  // namespace temper
