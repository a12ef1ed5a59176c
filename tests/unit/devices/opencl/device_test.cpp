// Tensors, donation, memory and the cache of compiled programs.
#include <cmath>

#include "counted.h"
#include "support/device_cases.h"
#include "support/expect_error.h"

namespace temper::opencl {
namespace {

Value input(Builder& b, const char* name, const Shape& shape) { return b.input(name, {DType::f32, shape}); }

TEST(OpenclDevice, CopiesAndBeginsWithZeros) {
  TEMPER_NEED_OPENCL();
  expect_copies_and_zeros(counted_device());
}

TEST(OpenclDevice, MeasuresItsPeaksOnce) {
  TEMPER_NEED_OPENCL();
  expect_peaks_once(counted_device(), calls_of("clEnqueueNDRangeKernel"));
}

// What becomes results in the memory of arguments counts once.
TEST(OpenclDevice, CountsWhatIsDonated) {
  const MemoryUse use = compile(opencl_target(), {}, sum_graph())->memory;
  EXPECT_EQ(use.arguments, 24);
  EXPECT_EQ(use.donated, 12);
  EXPECT_EQ(use.outputs, 0);
}

TEST(OpenclDevice, StateStaysAndAStepIsItsLaunches) {
  TEMPER_NEED_OPENCL();
  const std::vector<int> calls =
      calls_of_ten_steps(counted_device(), {calls_of("clEnqueueNDRangeKernel"),
                                            calls_of("clEnqueueReadBuffer"), calls_of("clEnqueueWriteBuffer"),
                                            calls_of("clEnqueueCopyBuffer"), calls_of("clCreateBuffer")});
  EXPECT_EQ(calls, (std::vector<int>{10, 0, 0, 0, 0}));
}

TEST(OpenclDevice, WhatIsSharedIsNotGivenAway) {
  TEMPER_NEED_OPENCL();
  expect_shared_is_not_given_away(counted_device());
}

// Each state becomes the other: whichever is written first, the other is read before.
TEST(OpenclDevice, GivenStatesMayChangePlaces) {
  TEMPER_NEED_OPENCL();
  Graph graph;
  Builder b(graph);
  const Value x = input(b, "x", {3}), y = input(b, "y", {3});
  b.output("x", y);
  b.output("y", x);
  b.output("sum", ops::reduce_sum(b, ops::mul(b, x, y), {0}));
  graph.donations = {{0, 0}, {1, 1}};
  const std::vector<Tensor> found = run_once(counted_device(), graph, {floats({1, 2, 3}), floats({4, 5, 6})});
  EXPECT_EQ(to_doubles(found[0]), (std::vector<double>{4, 5, 6}));
  EXPECT_EQ(to_doubles(found[1]), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(to_doubles(found[2]), std::vector<double>{32});
}

// A row of the state is read by all of the new state: it is not overwritten before.
TEST(OpenclDevice, AReadAcrossIsNotOverwritten) {
  TEMPER_NEED_OPENCL();
  Graph graph;
  Builder b(graph);
  const Value x = input(b, "x", {4, 4});
  b.output("x", ops::add(b, x, ops::transpose(b, x, {1, 0})));
  graph.donations = {{0, 0}};
  std::vector<double> numbers, expected;
  for (int i = 0; i < 16; ++i) numbers.push_back(i), expected.push_back(i + i % 4 * 4 + (i - i % 4) * 0.25);
  const Type type{DType::f32, {4, 4}};
  EXPECT_EQ(to_doubles(run_once(counted_device(), graph, {from_doubles(type, numbers)})[0]), expected);
}

TEST(OpenclDevice, SumsHaveTheSameBitsEachTime) {
  TEMPER_NEED_OPENCL();
  Graph graph;
  Builder b(graph);
  const Value x = input(b, "x", {50, 1000});
  const Value places = b.input("places", {DType::i64, {50}});
  b.output("sum", ops::reduce_sum(b, x, {0, 1}));
  b.output("rows",
           ops::scatter(b, ops::zeros(b, {DType::f32, {3, 1000}}), places, x, {{1}, {0}, {0}, 1}, "add"));
  std::vector<float> numbers;
  for (int i = 0; i < 50000; ++i) numbers.push_back(std::sin(static_cast<float>(i)));
  std::vector<int64_t> rows;
  for (int i = 0; i < 50; ++i) rows.push_back(i % 3);
  const std::vector<Tensor> inputs{Tensor::from<float>({50, 1000}, numbers),
                                   Tensor::from<int64_t>({50}, rows)};
  const std::vector<Tensor> once = run_once(counted_device(), graph, inputs);
  for (int again = 0; again < 3; ++again) {
    const std::vector<Tensor> found = run_once(counted_device(), graph, inputs);
    for (size_t i = 0; i < once.size(); ++i) EXPECT_TRUE(found[i] == once[i]) << i;
  }
}

// PoCL takes 64 operands: a sum and a line of 200 tensors, and a chain whose 100 links are all results.
TEST(OpenclDevice, KernelsHaveNoMoreOperandsThanItTakes) {
  TEMPER_NEED_OPENCL();
  EXPECT_EQ(counted_device().facts().target.facts.at("operands"), "64");
  Graph graph;
  Builder b(graph);
  std::vector<Value> all;
  std::vector<Tensor> inputs;
  for (int i = 0; i < 200; ++i) {
    all.push_back(input(b, concat("x", i).c_str(), {3}));
    inputs.push_back(floats({1, static_cast<float>(i), -2}));
  }
  Value sum = all[0];
  for (int i = 1; i < 200; ++i) {
    sum = ops::add(b, sum, all[static_cast<size_t>(i)]);
    if (i <= 100) b.output(concat("sum", i), sum);
  }
  b.output("sum", sum);
  b.output("line", ops::concat(b, all, 0));
  const std::vector<Tensor> found = run_once(counted_device(), graph, inputs);
  for (int i = 1; i <= 100; ++i)
    EXPECT_EQ(to_doubles(found[static_cast<size_t>(i) - 1]),
              (std::vector<double>{i + 1.0, i * (i + 1) / 2.0, -2.0 * (i + 1)}));
  EXPECT_EQ(to_doubles(found[100]), (std::vector<double>{200, 199 * 100, -400}));
  const std::vector<double> line = to_doubles(found[101]);
  for (size_t i = 0; i < 200; ++i) EXPECT_EQ(line[3 * i + 1], static_cast<double>(i));
}

// A node that has too many by itself is refused by its name.
TEST(OpenclDevice, ANodeWithTooManyOperandsIsRefused) {
  Graph graph;
  Builder b(graph);
  b.set_default_name("chosen");
  const Value x = input(b, "x", {3});
  b.output("y", ops::select(b, ops::compare(b, x, input(b, "y", {3}), "gt"), x, input(b, "z", {3})));
  expect_error(ErrorKind::unsupported, "chosen",
               [&] { compile(opencl_target(), {.facts = {{"operands", "2"}}}, graph); });
  EXPECT_NO_THROW(compile(opencl_target(), {.facts = {{"operands", "5"}}}, graph));
}

TEST(OpenclDevice, MemoryLimitIsKept) {
  TEMPER_NEED_OPENCL();
  EXPECT_THROW(compile(counted_device(), sum_graph(), {.memory_limit = 8}), MemoryRefused);
}

TEST(OpenclDevice, SaysHowManyBytesItLacks) {
  TEMPER_NEED_OPENCL();
  Device& device = counted_device();
  setenv("TEMPER_FAKE_MEMORY", "1000", 1);
  expect_error(ErrorKind::exhausted, "could not allocate 4000 bytes",
               [&] { device.allocate({DType::f32, {1000}}, 0); });
  unsetenv("TEMPER_FAKE_MEMORY");
}

TEST(OpenclDevice, SaysWhatTheCompilerSays) {
  TEMPER_NEED_OPENCL();
  Device& device = counted_device();
  setenv("TEMPER_FAKE_BUILD", "__kernel void k(__global float* x) { x[0] = no_such_name; }", 1);
  expect_error(ErrorKind::device, "no_such_name", [&] { compile(device, sum_graph()); });
  unsetenv("TEMPER_FAKE_BUILD");
}

using OpenclCache = KeptPrograms;

TEST_F(OpenclCache, CompilesOnce) {
  TEMPER_NEED_OPENCL();
  Device& device = counted_device();
  const auto loaded = calls_of("clCreateProgramWithBinary"), compiled = calls_of("clCreateProgramWithSource");
  const int before = loaded();
  EXPECT_EQ(grows(device, compiled), 1);
  EXPECT_EQ(grows(device, compiled), 0);
  EXPECT_EQ(loaded() - before, 1);
}

TEST_F(OpenclCache, ADamagedEntryIsSaidAndMadeAgain) {
  TEMPER_NEED_OPENCL();
  expect_damage_is_said_and_mended(counted_device(), "opencl", calls_of("clCreateProgramWithSource"));
}

}  // namespace
}  // namespace temper::opencl
