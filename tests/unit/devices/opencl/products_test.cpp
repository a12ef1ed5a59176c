// Contractions in both kinds of tiles, with edges, beside the processor's.
#include <cmath>

#include "counted.h"
#include "devices/cpu/cpu.h"
#include "ops/primitives.h"
#include "runtime/compile.h"
#include "tensor/compare.h"

namespace temper::opencl {
namespace {

Tensor wave(const Type& type, double step) {
  std::vector<double> values;
  for (int64_t i = 0; i < type.shape.elements(); ++i)
    values.push_back(std::round(8 * std::sin(step * static_cast<double>(i))) /
                     (is_float(type.dtype) ? 8 : 1));
  if (is_float(type.dtype)) return from_doubles(type, values);
  return from_int64s(type, std::vector<int64_t>(values.begin(), values.end()));
}

// Products, and convolutions with strides, padding, dilations and groups; sizes that fill no tile.
Graph products(DType dtype) {
  Graph graph;
  Builder b(graph);
  const auto input = [&](const char* name, const Shape& shape) { return b.input(name, {dtype, shape}); };
  const Value x = input("x", {2, 70, 50}), y = input("y", {2, 50, 90}), z = input("z", {90, 2, 50});
  b.output("plain", ops::dot_general(b, x, y, {{0}, {0}, {2}, {1}}));
  b.output("across", ops::dot_general(b, x, z, {{0}, {1}, {2}, {2}}));
  b.output("both", ops::dot_general(b, y, x, {{0}, {0}, {1}, {2}}));
  b.output("outer", ops::dot_general(b, z, z, {{}, {}, {1, 2}, {1, 2}}));
  const Value picture = input("picture", {3, 8, 13, 11}), w = input("w", {20, 8, 3, 3}),
              w2 = input("w2", {12, 4, 3, 2});
  b.output("same", ops::conv_general(b, picture, w, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1, 1}));
  b.output("strides", ops::conv_general(b, picture, w, {{2, 3}, {0, 1}, {2, 0}, {1, 1}, {1, 2}, 1, 1}));
  b.output("spread", ops::conv_general(b, picture, w, {{1, 1}, {2, 2}, {1, 3}, {2, 3}, {1, 1}, 1, 1}));
  b.output("groups", ops::conv_general(b, picture, w2, {{1, 2}, {1, 0}, {1, 0}, {1, 1}, {2, 1}, 2, 1}));
  const Value batch = input("batch", {4, 8, 9, 9});
  b.output("batch groups", ops::conv_general(b, batch, w, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1, 2}));
  b.output("line", ops::conv_general(b, input("line", {2, 8, 40}), input("w3", {8, 8, 5}),
                                     {{1}, {2}, {2}, {1}, {1}, 1, 1}));
  return graph;
}

class OpenclProducts : public testing::TestWithParam<DType> {
 protected:
  static void expect_as_on_the_processor(Device& device) {
    register_device(cpu::cpu_device());
    const Graph graph = products(GetParam());
    std::vector<Tensor> inputs;
    for (const Port& port : graph.inputs)
      inputs.push_back(wave(graph.type(port.value), 0.7 + 0.1 * static_cast<double>(inputs.size())));
    const std::vector<Tensor> expected = run_once(open_device("cpu"), graph, inputs),
                              found = run_once(device, graph, inputs);
    const double tolerance = !is_float(GetParam()) ? 0 : GetParam() == DType::f16 ? 5e-2 : 1e-4;
    for (size_t i = 0; i < expected.size(); ++i) {
      std::string why;
      EXPECT_TRUE(close(found[i], expected[i], 0, tolerance, &why)) << graph.outputs[i].name << ": " << why;
    }
  }
};

TEST_P(OpenclProducts, ByVectors) {
  TEMPER_NEED_OPENCL();
  expect_as_on_the_processor(counted_device());
}

TEST_P(OpenclProducts, ByGroups) {
  TEMPER_NEED_OPENCL();
  counted_device();
  setenv("TEMPER_FAKE_GPU", "1", 1);
  const std::unique_ptr<Device> gpu = opencl_device().open("");
  unsetenv("TEMPER_FAKE_GPU");
  EXPECT_EQ(gpu->facts().target.facts.at("type"), "gpu");
  expect_as_on_the_processor(*gpu);
}

INSTANTIATE_TEST_SUITE_P(Types, OpenclProducts,
                         testing::Values(DType::f32, DType::f64, DType::f16, DType::i32),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace temper::opencl
