// Tensors, donation, memory and the cache of compiled programs.
#include <cmath>
#include <fstream>

#include "counted.h"
#include "ops/primitives.h"
#include "runtime/compile.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace temper::opencl {
namespace {

Tensor vector(const std::vector<float>& values) {
  return Tensor::from<float>({static_cast<int64_t>(values.size())}, std::span(values));
}

Value input(Builder& b, const char* name, const Shape& shape) { return b.input(name, {DType::f32, shape}); }

// state' = state + x, with the state given away
Graph sum_graph() {
  Graph graph;
  Builder b(graph);
  b.output("state", ops::add(b, input(b, "state", {3}), input(b, "x", {3})));
  graph.donations = {{0, 0}};
  return graph;
}

TEST(OpenclDevice, CopiesAndBeginsWithZeros) {
  TEMPER_NEED_OPENCL();
  Device& device = counted_device();
  const Type type{DType::f32, {2, 3}};
  Tensor on_device = device.allocate(type, 0), another = device.allocate(type, 0);
  EXPECT_EQ(to_doubles(download(device, on_device)), std::vector<double>(6, 0));
  const std::vector<double> numbers{1, 2, 3, 4, 5, 6};
  device.copy(from_doubles(type, numbers), on_device);
  device.copy(on_device, another);
  device.copy(from_doubles(type, std::vector<double>(6, 7)), on_device);
  EXPECT_EQ(to_doubles(download(device, another)), numbers);
  EXPECT_EQ(to_doubles(download(device, on_device)), std::vector<double>(6, 7));
}

TEST(OpenclDevice, MeasuresItsPeaksOnce) {
  TEMPER_NEED_OPENCL();
  Device& device = counted_device();
  EXPECT_EQ(device.facts().peak_flops, 0);
  const DeviceFacts facts = device.measure();
  EXPECT_GT(facts.peak_flops, 1e8);
  EXPECT_GT(facts.peak_bf16_flops, 1e8);
  EXPECT_GT(facts.peak_bytes_per_second, 1e7);
  EXPECT_EQ(device.measure().peak_flops, facts.peak_flops);
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
  Device& device = counted_device();
  const auto executable = compile(device, sum_graph());
  EXPECT_EQ(executable->program().memory.outputs, 0);
  const auto context = executable->make_context();
  std::vector<Tensor> arguments{upload(device, vector({1, 2, 3}), executable->program().inputs[0]),
                                upload(device, vector({1, 1, 1}), executable->program().inputs[1])};
  constexpr const char* kMoving[] = {"clEnqueueReadBuffer", "clEnqueueWriteBuffer", "clEnqueueCopyBuffer",
                                     "clCreateBuffer"};
  std::vector<int> before;
  for (const char* call : kMoving) before.push_back(times_called(call));
  const int launches = times_called("clEnqueueNDRangeKernel");
  for (int step = 0; step < 10; ++step) {
    std::vector<Tensor> results(1);
    executable->run(*context, arguments, results);
    EXPECT_TRUE(arguments[0].empty());
    arguments[0] = results[0];
  }
  EXPECT_EQ(times_called("clEnqueueNDRangeKernel") - launches, 10);
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(times_called(kMoving[i]), before[i]) << kMoving[i];
  EXPECT_EQ(to_doubles(download(device, arguments[0])), (std::vector<double>{11, 12, 13}));
}

// Another tensor with the same memory keeps what it had.
TEST(OpenclDevice, WhatIsSharedIsNotGivenAway) {
  TEMPER_NEED_OPENCL();
  Device& device = counted_device();
  const auto executable = compile(device, sum_graph());
  std::vector<Tensor> arguments{upload(device, vector({1, 2, 3}), executable->program().inputs[0]),
                                upload(device, vector({1, 1, 1}), executable->program().inputs[1])};
  const Tensor same = arguments[0];
  std::vector<Tensor> results(1);
  executable->run(*executable->make_context(), arguments, results);
  EXPECT_EQ(to_doubles(download(device, results[0])), (std::vector<double>{2, 3, 4}));
  EXPECT_EQ(to_doubles(download(device, same)), (std::vector<double>{1, 2, 3}));
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
  const std::vector<Tensor> found = run_once(counted_device(), graph, {vector({1, 2, 3}), vector({4, 5, 6})});
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

class OpenclCache : public testing::Test {
 protected:
  void SetUp() override { setenv("TEMPER_CACHE", folder_.path().c_str(), 1); }
  void TearDown() override { setenv("TEMPER_CACHE", "off", 1); }

  // How often source was compiled.
  static int compiled() {
    const int before = times_called("clCreateProgramWithSource");
    const std::vector<Tensor> sum =
        run_once(counted_device(), sum_graph(), {vector({1, 2, 3}), vector({4, 5, 6})});
    EXPECT_EQ(to_doubles(sum[0]), (std::vector<double>{5, 7, 9}));
    return times_called("clCreateProgramWithSource") - before;
  }
  std::filesystem::path entry() const {
    for (const auto& file : std::filesystem::directory_iterator(folder_.path() / "opencl"))
      return file.path();
    return {};
  }

  TemporaryFolder folder_;
};

TEST_F(OpenclCache, CompilesOnce) {
  TEMPER_NEED_OPENCL();
  const int loaded = times_called("clCreateProgramWithBinary");
  EXPECT_EQ(compiled(), 1);
  EXPECT_EQ(compiled(), 0);
  EXPECT_EQ(times_called("clCreateProgramWithBinary") - loaded, 1);
}

TEST_F(OpenclCache, ADamagedEntryIsSaidAndMadeAgain) {
  TEMPER_NEED_OPENCL();
  EXPECT_EQ(compiled(), 1);
  const std::filesystem::path file = entry();
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(100).put('!');
  testing::internal::CaptureStderr();
  EXPECT_EQ(compiled(), 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("is damaged (the checksum is wrong)"),
            std::string::npos);
  EXPECT_EQ(compiled(), 0);
  std::filesystem::resize_file(file, 10);
  EXPECT_EQ(compiled(), 1);
}

}  // namespace
}  // namespace temper::opencl
