// Products by cuBLASLt and in own tiles beside the processor's; what is done to their results at once.
#include "devices/cuda/products.h"

#include <cmath>

#include "devices/cpu/cpu.h"
#include "fake_device.h"
#include "ops/primitives.h"
#include "runtime/compile.h"
#include "tensor/compare.h"

namespace temper::cuda {
namespace {

const TargetFacts kWithBlas{.name = "cuda", .facts = {{"cublaslt", "13.0.0"}}};

Tensor wave(const Type& type, double step) {
  std::vector<double> values;
  for (int64_t i = 0; i < type.shape.elements(); ++i)
    values.push_back(std::round(8 * std::sin(step * static_cast<double>(i))) / 8);
  return from_doubles(type, values);
}

// Operands that lie every way round, groups, a slice that no vector is aligned to; convolutions, which have
// tiles of their own.
Graph products(DType dtype) {
  Graph graph;
  Builder b(graph);
  const auto input = [&](const char* name, const Shape& shape) { return b.input(name, {dtype, shape}); };
  const Value x = input("x", {2, 70, 50}), y = input("y", {2, 50, 90}), z = input("z", {90, 2, 50});
  b.output("plain", ops::dot_general(b, x, y, {{0}, {0}, {2}, {1}}));
  b.output("across", ops::dot_general(b, x, z, {{0}, {1}, {2}, {2}}));
  b.output("both", ops::dot_general(b, y, x, {{0}, {0}, {1}, {2}}));
  b.output("outer", ops::dot_general(b, z, z, {{}, {}, {1, 2}, {1, 2}}));
  const Value tall = input("tall", {700, 9});  // enough for wide tiles
  b.output("wide", ops::dot_general(b, tall, tall, {.x_contract = {1}, .y_contract = {1}}));
  const Value rows = input("rows", {33, 17}), w = input("w", {29, 17}), bias = input("bias", {29});
  const Value linear = ops::dot_general(b, rows, w, {.x_contract = {1}, .y_contract = {1}});
  b.output("layer", ops::relu(b, ops::add(b, linear, bias)));
  b.output("picture", ops::conv_general(b, input("pictures", {3, 8, 13, 11}), input("filter", {20, 8, 3, 3}),
                                        {{2, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1, 1}));
  return graph;
}

class CudaProducts : public testing::TestWithParam<DType> {
 protected:
  static void expect_as_on_the_processor(Device& device) {
    register_device(cpu::cpu_device());
    const Graph graph = products(GetParam());
    std::vector<Tensor> inputs;
    for (const Port& port : graph.inputs)
      inputs.push_back(wave(graph.type(port.value), 0.7 + 0.1 * static_cast<double>(inputs.size())));
    const std::vector<Tensor> expected = run_once(open_device("cpu"), graph, inputs),
                              found = run_once(device, graph, inputs);
    const double tolerance = GetParam() == DType::f16 ? 5e-2 : GetParam() == DType::bf16 ? 0.25 : 1e-4;
    for (size_t i = 0; i < expected.size(); ++i) {
      std::string why;
      EXPECT_TRUE(close(found[i], expected[i], 0, tolerance, &why)) << graph.outputs[i].name << ": " << why;
    }
  }
};

TEST_P(CudaProducts, ByTheLibrary) {
  Device& device = fake_device();
  const int before = fake_cuda_calls("libcublasLt.so.13", "cublasLtMatmul");
  expect_as_on_the_processor(device);
  EXPECT_EQ(fake_cuda_calls("libcublasLt.so.13", "cublasLtMatmul") - before, 6);
}

TEST_P(CudaProducts, InOwnTiles) {
  fake_device();
  const Told own("TEMPER_CUDA_PRODUCTS", "own");
  const std::unique_ptr<Device> device = cuda_device().open("");
  EXPECT_EQ(device->facts().target.facts.at("products"), "own kernels (TEMPER_CUDA_PRODUCTS=own)");
  const int before = fake_cuda_calls("libcublasLt.so.13", "cublasLtMatmul");
  expect_as_on_the_processor(*device);
  EXPECT_EQ(fake_cuda_calls("libcublasLt.so.13", "cublasLtMatmul"), before);
}

INSTANTIATE_TEST_SUITE_P(Types, CudaProducts,
                         testing::Values(DType::f32, DType::f64, DType::f16, DType::bf16),
                         [](const auto& info) { return std::string(to_string(info.param)); });

// Slices of a scan lie where their index puts them: the algorithm is chosen anew for the worst of them.
TEST(CudaProducts, TakesOperandsThatAreNotAligned) {
  Graph graph, body;
  Builder b(graph), c(body);
  const Type weights{DType::f16, {8, 8}};
  const Value x = c.input("x", {DType::f16, {5, 8}}), w = c.input("w", weights);
  c.output("y", ops::dot_general(c, x, w, {.x_contract = {1}, .y_contract = {0}}));
  const Value xs = b.input("xs", {DType::f16, {3, 5, 8}}), all = b.input("w", weights);
  b.output("ys", ops::scan(b, std::move(body), {}, {xs}, {all}, 3)[0]);
  std::vector<Tensor> inputs{wave({DType::f16, {3, 5, 8}}, 0.7), wave(weights, 0.9)};
  register_device(cpu::cpu_device());
  const int chosen = fake_cuda_calls("libcublasLt.so.13", "cublasLtMatmulAlgoGetHeuristic");
  const Tensor found = run_once(fake_device(), graph, inputs)[0];
  EXPECT_GE(fake_cuda_calls("libcublasLt.so.13", "cublasLtMatmulAlgoGetHeuristic") - chosen, 2);
  EXPECT_TRUE(close(found, run_once(open_device("cpu"), graph, inputs)[0], 0, 1e-2));
}

std::string kinds(const Graph& graph) {
  std::string all;
  for (const auto& call : library_products(kWithBlas, graph)) all += concat(call->cluster.kind, ";");
  return all;
}

// [33, 17] x [17, 29]
struct Layer {
  Layer() : b(graph) {
    product = ops::dot_general(b, b.input("x", {DType::f32, {33, 17}}), b.input("w", {DType::f32, {29, 17}}),
                               {.x_contract = {1}, .y_contract = {1}});
  }
  Value input(const char* name, const Shape& shape) { return b.input(name, {DType::f32, shape}); }
  Graph graph;
  Builder b;
  Value product;
};

TEST(CudaProducts, TakeABiasAndReluAlong) {
  Layer plain, bias, both, relu, other, gelu, read_twice, kept, of_rows;
  plain.b.output("y", plain.product);
  EXPECT_EQ(kinds(plain.graph), "product;");
  EXPECT_TRUE(library_products({}, plain.graph).empty());
  bias.b.output("y", ops::add(bias.b, bias.product, bias.input("bias", {29})));
  EXPECT_EQ(kinds(bias.graph), "product+bias;");
  both.b.output("y", ops::relu(both.b, ops::add(both.b, both.input("bias", {29}), both.product)));
  EXPECT_EQ(kinds(both.graph), "product+bias+relu;");
  relu.b.output("y", ops::relu(relu.b, relu.product));
  EXPECT_EQ(kinds(relu.graph), "product+relu;");
  other.b.output("y", ops::max(other.b, other.product, 1));
  EXPECT_EQ(kinds(other.graph), "product;");
  const Value twice = ops::add(read_twice.b, read_twice.product, read_twice.input("bias", {29}));
  read_twice.b.output("y", ops::relu(read_twice.b, twice));
  read_twice.b.output("z", ops::exp(read_twice.b, twice));
  EXPECT_EQ(kinds(read_twice.graph), "product+bias;");
  kept.b.output("x", kept.product);
  kept.b.output("y", ops::relu(kept.b, kept.product));
  EXPECT_EQ(kinds(kept.graph), "product;");
  of_rows.b.output("y", ops::add(of_rows.b, of_rows.product, of_rows.input("bias", {33, 1})));
  EXPECT_EQ(kinds(of_rows.graph), "product;");
}

// Integers, mixed types and what is too small are left to kernels.
TEST(CudaProducts, LeaveTheRestToKernels) {
  for (const auto& [dtype, size] : {std::pair{DType::i32, 32}, std::pair{DType::f32, 3}}) {
    Graph graph;
    Builder b(graph);
    const Type type{dtype, {size, size}};
    b.output("y", ops::matmul(b, b.input("x", type), b.input("w", type)));
    EXPECT_EQ(kinds(graph), "") << to_string(dtype) << " " << size;
  }
}

}  // namespace
}  // namespace temper::cuda
