// Tensors, donation and the cache of compiled programs.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/text.h"
#include "cpu_plugin.h"
#include "ops/primitives.h"
#include "runtime/compile.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace temper::pjrt {
namespace {

Tensor vector(const std::vector<float>& values) {
  return Tensor::from<float>({static_cast<int64_t>(values.size())}, std::span(values));
}

// state' = state + x, with the state given away
Graph sum_graph() {
  Graph graph;
  Builder b(graph);
  const Value state = b.input("state", {DType::f32, {3}}), x = b.input("x", {DType::f32, {3}});
  b.output("state", ops::add(b, state, x));
  graph.donations = {{0, 0}};
  return graph;
}

TEST(PjrtDevice, CopiesAndBeginsWithZeros) {
  TEMPER_NEED_PLUGIN();
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

TEST(PjrtDevice, StateStaysAndAStepIsOneExecute) {
  TEMPER_NEED_PLUGIN();
  Device& device = counted_device();
  const auto executable = compile(device, sum_graph());
  EXPECT_EQ(executable->program().memory.outputs, 0);
  const auto context = executable->make_context();
  std::vector<Tensor> arguments{upload(device, vector({1, 2, 3}), executable->program().inputs[0]),
                                upload(device, vector({1, 1, 1}), executable->program().inputs[1])};
  const int executes = times_called(Function::loaded_executable_execute),
            uploads = times_called(Function::client_buffer_from_host_buffer),
            downloads = times_called(Function::buffer_to_host_buffer);
  for (int step = 0; step < 10; ++step) {
    std::vector<Tensor> results(1);
    executable->run(*context, arguments, results);
    EXPECT_TRUE(arguments[0].empty());
    arguments[0] = results[0];
  }
  EXPECT_EQ(times_called(Function::loaded_executable_execute) - executes, 10);
  EXPECT_EQ(times_called(Function::client_buffer_from_host_buffer) - uploads, 0);
  EXPECT_EQ(times_called(Function::buffer_to_host_buffer) - downloads, 0);
  EXPECT_EQ(to_doubles(download(device, arguments[0])), (std::vector<double>{11, 12, 13}));
}

TEST(PjrtDevice, AnotherDeviceOfThePlugin) {
  TEMPER_NEED_PLUGIN();
  counted_device();
  Device& second = open_device(concat("pjrt:", counting_plugin(), ":1"));
  const std::vector<Tensor> sum = run_once(second, sum_graph(), {vector({1, 2, 3}), vector({4, 5, 6})});
  EXPECT_EQ(to_doubles(sum[0]), (std::vector<double>{5, 7, 9}));
  expect_error(ErrorKind::device, "none with number 99",
               [] { open_device(concat("pjrt:", counting_plugin(), ":99")); });
}

// Another tensor with the same buffer keeps what it had.
TEST(PjrtDevice, WhatIsSharedIsNotGivenAway) {
  TEMPER_NEED_PLUGIN();
  Device& device = counted_device();
  const auto executable = compile(device, sum_graph());
  std::vector<Tensor> arguments{upload(device, vector({1, 2, 3}), executable->program().inputs[0]),
                                upload(device, vector({1, 1, 1}), executable->program().inputs[1])};
  const Tensor same = arguments[0];
  Tensor copy = device.allocate(same.type(), 0);
  device.copy(same, copy);
  std::vector<Tensor> results(1);
  executable->run(*executable->make_context(), arguments, results);
  EXPECT_EQ(to_doubles(download(device, results[0])), (std::vector<double>{2, 3, 4}));
  EXPECT_EQ(to_doubles(download(device, same)), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(to_doubles(download(device, copy)), (std::vector<double>{1, 2, 3}));
}

TEST(PjrtDevice, PeaksAreMeasuredOnce) {
  TEMPER_NEED_PLUGIN();
  Device& device = counted_device();
  EXPECT_EQ(device.facts().peak_flops, 0);
  const DeviceFacts facts = device.measure();
  EXPECT_GT(facts.peak_flops, 1e8);
  EXPECT_GT(facts.peak_bf16_flops, 1e7);
  EXPECT_GT(facts.peak_bytes_per_second, 1e8);
  const int executes = times_called(Function::loaded_executable_execute);
  EXPECT_EQ(device.measure().peak_flops, facts.peak_flops);
  EXPECT_EQ(times_called(Function::loaded_executable_execute), executes);
}

TEST(PjrtDevice, MemoryLimitIsKept) {
  TEMPER_NEED_PLUGIN();
  EXPECT_THROW(compile(counted_device(), sum_graph(), {.memory_limit = 8}), MemoryRefused);
}

TEST(PjrtDevice, NanSurvivesFolds) {
  TEMPER_NEED_PLUGIN();
  for (const char* kind : {"max", "min", "sum"}) {
    for (const int64_t axis : {0, 1}) {
      Graph graph;
      Builder b(graph);
      b.output("y", ops::reduce(b, b.input("x", {DType::f32, {40, 40}}), {axis}, kind));
      std::vector<double> numbers(1600, 1);
      numbers[41 * 7] = NAN;
      const std::vector<Tensor> found =
          run_once(counted_device(), graph, {from_doubles({DType::f32, {40, 40}}, numbers)});
      int nans = 0;
      for (const double value : to_doubles(found[0])) nans += std::isnan(value);
      EXPECT_EQ(nans, 1) << kind << " over " << axis;
    }
  }
}

class PjrtCache : public testing::Test {
 protected:
  void SetUp() override { setenv("TEMPER_CACHE", folder_.path().c_str(), 1); }
  void TearDown() override { setenv("TEMPER_CACHE", "off", 1); }

  // How often XLA compiled.
  static int compiled() {
    const int before = times_called(Function::client_compile);
    const std::vector<Tensor> sum =
        run_once(counted_device(), sum_graph(), {vector({1, 2, 3}), vector({4, 5, 6})});
    EXPECT_EQ(to_doubles(sum[0]), (std::vector<double>{5, 7, 9}));
    return times_called(Function::client_compile) - before;
  }
  std::filesystem::path entry() const {
    for (const auto& file : std::filesystem::directory_iterator(folder_.path() / "pjrt")) return file.path();
    return {};
  }

  TemporaryFolder folder_;
};

TEST_F(PjrtCache, CompilesOnce) {
  TEMPER_NEED_PLUGIN();
  const int loaded = times_called(Function::executable_deserialize_and_load);
  EXPECT_EQ(compiled(), 1);
  EXPECT_EQ(compiled(), 0);
  EXPECT_EQ(times_called(Function::executable_deserialize_and_load) - loaded, 1);
}

TEST_F(PjrtCache, ADamagedEntryIsSaidAndMadeAgain) {
  TEMPER_NEED_PLUGIN();
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
}  // namespace temper::pjrt
