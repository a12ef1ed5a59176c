// Graphs of many ops drawn at random: what fusion makes of them computes the same as the reference.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "devices/cpu/cpu.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "run_cluster.h"
#include "runtime/compile.h"
#include "runtime/registry.h"
#include "tensor/compare.h"

namespace temper {
namespace {

Device& processor() {
  register_device(cpu::cpu_device());
  return open_device("cpu");
}

// Draws nodes over f32 matrices [rows, columns], their rows, columns and scalars.
class Draw {
 public:
  Draw(Graph& graph, unsigned seed) : b_(graph), random_(seed) {}

  void run(int nodes) {
    for (int i = 0; i < 3; ++i) pool_.push_back(b_.input(concat("x", i), {DType::f32, {kRows, kColumns}}));
    pool_.push_back(b_.input("row", {DType::f32, {1, kColumns}}));
    pool_.push_back(b_.input("column", {DType::f32, {kRows, 1}}));
    pool_.push_back(b_.input("scalar", {DType::f32, {1, 1}}));
    for (int i = 0; i < nodes; ++i) pool_.push_back(node());
    std::vector<Value> named;
    for (int i = 0; i < 6; ++i) {
      const Value v = i == 0 ? pool_.back() : any();
      if (std::find(named.begin(), named.end(), v) != named.end()) continue;
      named.push_back(v);
      b_.output(concat("y", i), v);
    }
  }

 private:
  static constexpr int64_t kRows = 37, kColumns = 53;

  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  Value any() { return pool_[static_cast<size_t>(pick(static_cast<int>(pool_.size())))]; }
  Value whole() { return ops::broadcast_to(b_, any(), {kRows, kColumns}); }

  Value node() {
    const Value x = any(), y = any();
    switch (pick(13)) {
      case 0:
        return ops::tanh(b_, ops::add(b_, x, y));
      case 1:
        return ops::mul(b_, ops::sigmoid(b_, x), 0.7);
      case 2:
        return ops::sub(b_, ops::mul(b_, x, 0.5), y);
      case 3:
        return ops::max(b_, x, y);
      case 4:
        return ops::select(b_, ops::compare(b_, x, y, "lt"), ops::neg(b_, x), y);
      case 5:
        return ops::reshape(b_, ops::reduce_mean(b_, whole(), {1}), {kRows, 1});
      case 6:
        return ops::reshape(b_, ops::reduce_mean(b_, whole(), {0}), {1, kColumns});
      case 7:
        return ops::reshape(b_, ops::reduce_max(b_, whole(), {0, 1}), {1, 1});
      case 8:
        return ops::transpose(b_, ops::reshape(b_, whole(), {kColumns, kRows}), {1, 0});
      case 9:
        return ops::tanh(
            b_, ops::matmul(b_, ops::matmul(b_, whole(), ops::transpose(b_, whole(), {1, 0})), whole()));
      case 10:
        return ops::softmax(b_, whole(), 1);
      case 11:
        return ops::erf(b_, ops::add(b_, x, ops::mul(b_, y, y)));
      default:
        return ops::sin(b_, ops::reverse(b_, whole(), {1}));
    }
  }

  Builder b_;
  std::mt19937 random_;
  std::vector<Value> pool_;
};

class RandomGraphs : public testing::TestWithParam<unsigned> {};

TEST_P(RandomGraphs, AgreeWithTheReference) {
  Graph graph;
  Draw(graph, GetParam()).run(10 + static_cast<int>(GetParam()) * 2);
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs)
    inputs.push_back(filled(graph.type(port.value), inputs.size() + GetParam()));
  const std::vector<Tensor> expected = interpret(graph, inputs);
  const std::vector<Tensor> one = run_once(processor(), graph, inputs, {.threads = 1});
  const std::vector<Tensor> two = run_once(processor(), graph, inputs, {.threads = 2});
  ASSERT_EQ(one.size(), expected.size());
  for (size_t i = 0; i < one.size(); ++i) {
    std::string why;
    EXPECT_TRUE(close(one[i], expected[i], 1e-4, 1e-4, &why)) << graph.outputs[i].name << ": " << why;
    EXPECT_EQ(std::memcmp(one[i].data(), two[i].data(), static_cast<size_t>(one[i].bytes())), 0);
  }
}

TEST_P(RandomGraphs, KeepTheirBitsInTheLeastMemory) {
  Graph graph;
  Draw(graph, GetParam()).run(10 + static_cast<int>(GetParam()) * 2);
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs)
    inputs.push_back(filled(graph.type(port.value), inputs.size() + GetParam()));
  const std::vector<Tensor> plain = run_once(processor(), graph, inputs, {.threads = 2});
  int64_t least = 0;
  try {
    compile(processor(), graph, {.threads = 2, .memory_limit = 1});
  } catch (const MemoryRefused& refused) {
    least = refused.least();
  }
  ASSERT_GT(least, 0);
  const std::vector<Tensor> small =
      run_once(processor(), graph, inputs, {.threads = 2, .memory_limit = least});
  for (size_t i = 0; i < plain.size(); ++i)
    EXPECT_EQ(std::memcmp(plain[i].data(), small[i].data(), static_cast<size_t>(plain[i].bytes())), 0)
        << graph.outputs[i].name;
}

INSTANTIATE_TEST_SUITE_P(Cpu, RandomGraphs, testing::Range(0u, 40u));

}  // namespace
}  // namespace temper
