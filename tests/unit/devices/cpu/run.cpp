#include "run.h"

#include <cmath>
#include <cstring>

#include "runtime/compile.h"
#include "tensor/compare.h"

namespace temper {

Tensor filled(const Type& type, uint64_t seed) {
  std::vector<double> values(static_cast<size_t>(type.shape.elements()));
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (double& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<double>(state >> 40) / (1 << 23) - 1;
    if (!is_float(type.dtype)) value = std::floor(value * 8);
  }
  return from_doubles(type, values);
}

std::unique_ptr<Executable> load(const Graph& graph, const CompileOptions& options) {
  return compile(processor(), graph, options);
}

std::vector<Tensor> run(const Executable& executable, std::span<const Tensor> inputs) {
  const Program& program = executable.program();
  std::vector<Tensor> arguments, results(program.outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    arguments.push_back(upload(processor(), inputs[i], program.inputs[i]));
  executable.run(*executable.make_context(), arguments, results);
  for (Tensor& result : results) result = download(processor(), result);
  return results;
}

std::vector<Tensor> run(const Graph& graph, std::span<const Tensor> inputs, const CompileOptions& options) {
  return run(*load(graph, options), inputs);
}

void expect_close(const std::vector<Tensor>& found, const std::vector<Tensor>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    double largest = 0;
    for (const double value : to_doubles(expected[i])) largest = std::max(largest, std::abs(value));
    std::string why;
    EXPECT_TRUE(close(found[i], expected[i], 0, tolerance * largest, &why)) << "output " << i << ": " << why;
  }
}

void expect_same_bits(const std::vector<Tensor>& found, const std::vector<Tensor>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(std::memcmp(found[i].data(), expected[i].data(), static_cast<size_t>(expected[i].bytes())), 0)
        << "output " << i;
}

}  // namespace temper
