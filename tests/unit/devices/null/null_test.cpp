#include "devices/null/null.h"

#include <gtest/gtest.h>

#include "ops/primitives.h"
#include "runtime/compile.h"

namespace temper {

TEST(Null, TakesEveryGraphAndAnswersZeros) {
  register_device(null::null_device());
  Device& device = open_device("null");
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 3}});
  b.output("y", ops::exp(b, x));
  b.output("n", ops::convert(b, x, DType::i64));
  const Tensor input = Tensor::from<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  const std::vector<Tensor> results = run_once(device, graph, {input});
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(to_doubles(results[0]), std::vector<double>(6, 0));
  EXPECT_EQ(to_int64s(results[1]), std::vector<int64_t>(6, 0));
}

TEST(Null, CopiesAndDonates) {
  register_device(null::null_device());
  Device& device = open_device("null");
  Graph graph;
  Builder b(graph);
  b.output("y", ops::neg(b, b.input("x", {DType::f32, {2}})));
  graph.donations = {{0, 0}};
  const auto executable = compile(device, graph);
  std::vector<Tensor> arguments{
      upload(device, Tensor::from<float>({2}, std::vector<float>{1, 2}), executable->program().inputs[0])};
  EXPECT_EQ(to_doubles(download(device, arguments[0])), (std::vector<double>{1, 2}));
  const void* memory = arguments[0].data();
  std::vector<Tensor> results(1);
  executable->run(*executable->make_context(), arguments, results);
  EXPECT_TRUE(arguments[0].empty());
  EXPECT_EQ(results[0].data(), memory);
}

}  // namespace temper
