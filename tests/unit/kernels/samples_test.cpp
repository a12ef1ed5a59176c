// Every sample of every op, by the kernels of the CPU, against the reference; and the same bits for any team.
#include "ops/samples.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "devices/cpu/cpu.h"
#include "ops/interpreter/interpret.h"
#include "ops/registry.h"
#include "runtime/compile.h"
#include "runtime/registry.h"
#include "tensor/compare.h"

namespace temper {
namespace {

Device& processor() {
  register_device(cpu::cpu_device());
  return open_device("cpu");
}

double tolerance(const Sample& sample, DType dtype) {
  const double usual = dtype == DType::f64    ? 1e-12
                       : dtype == DType::f16  ? 2e-3
                       : dtype == DType::bf16 ? 1.6e-2
                                              : 2e-6;
  return std::max(sample.tolerance, usual);
}

void expect_agreement(const Sample& sample, const Tensor& found, const Tensor& expected) {
  if (!is_float(expected.dtype())) {
    EXPECT_EQ(to_int64s(found), to_int64s(expected));
    return;
  }
  double largest = 0;
  for (double value : to_doubles(expected))
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  std::string why;
  EXPECT_TRUE(close(found, expected, 0, tolerance(sample, expected.dtype()) * largest, &why)) << why;
}

class Samples : public testing::TestWithParam<const Op*> {};

TEST_P(Samples, AgreeWithTheReference) {
  const Op& op = *GetParam();
  for (const Sample& sample : op.samples()) {
    SCOPED_TRACE(sample.name);
    const Graph graph = sample_graph(op, sample);
    const std::vector<Tensor> inputs = sample_inputs(op, sample);
    try {
      const std::vector<Tensor> one = run_once(processor(), graph, inputs, {.threads = 1});
      const std::vector<Tensor> two = run_once(processor(), graph, inputs, {.threads = 2});
      const std::vector<Tensor> expected = interpret(graph, inputs);
      ASSERT_EQ(one.size(), expected.size());
      for (size_t i = 0; i < one.size(); ++i) {
        ASSERT_EQ(one[i].type(), expected[i].type());
        expect_agreement(sample, one[i], expected[i]);
        EXPECT_EQ(std::memcmp(one[i].data(), two[i].data(), static_cast<size_t>(one[i].bytes())), 0);
      }
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

// Contractions and control flow have tests of their own beside the executor.
std::vector<const Op*> sampled() {
  std::vector<const Op*> ops;
  for (const Op* op : all_ops()) {
    const bool contraction =
        op->name.starts_with("conv_") || op->name == "conv2d" || op->name == "dot_general";
    const bool control = op->samples && !op->samples()[0].regions.empty();
    if (op->samples && !contraction && !control) ops.push_back(op);
  }
  return ops;
}

INSTANTIATE_TEST_SUITE_P(Cpu, Samples, testing::ValuesIn(sampled()),
                         [](const auto& test) { return std::string(test.param->name); });

}  // namespace
}  // namespace temper
