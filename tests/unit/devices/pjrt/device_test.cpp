// Tensors, donation and the cache of compiled programs.
#include <gtest/gtest.h>

#include <cmath>

#include "base/text.h"
#include "cpu_plugin.h"
#include "support/device_cases.h"
#include "support/expect_error.h"

namespace temper::pjrt {
namespace {

TEST(PjrtDevice, CopiesAndBeginsWithZeros) {
  TEMPER_NEED_PJRT();
  expect_copies_and_zeros(counted_device());
}

TEST(PjrtDevice, StateStaysAndAStepIsOneExecute) {
  TEMPER_NEED_PJRT();
  const std::vector<int> calls =
      calls_of_ten_steps(counted_device(), {calls_of(Function::loaded_executable_execute),
                                            calls_of(Function::client_buffer_from_host_buffer),
                                            calls_of(Function::buffer_to_host_buffer)});
  EXPECT_EQ(calls, (std::vector<int>{10, 0, 0}));
}

TEST(PjrtDevice, AnotherDeviceOfThePlugin) {
  TEMPER_NEED_PJRT();
  counted_device();
  Device& second = open_device(concat("pjrt:", counting_plugin(), ":1"));
  const std::vector<Tensor> sum = run_once(second, sum_graph(), {floats({1, 2, 3}), floats({4, 5, 6})});
  EXPECT_EQ(to_doubles(sum[0]), (std::vector<double>{5, 7, 9}));
  expect_error(ErrorKind::device, "none with number 99",
               [] { open_device(concat("pjrt:", counting_plugin(), ":99")); });
}

TEST(PjrtDevice, WhatIsSharedIsNotGivenAway) {
  TEMPER_NEED_PJRT();
  expect_shared_is_not_given_away(counted_device());
}

TEST(PjrtDevice, PeaksAreMeasuredOnce) {
  TEMPER_NEED_PJRT();
  expect_peaks_once(counted_device(), calls_of(Function::loaded_executable_execute));
}

TEST(PjrtDevice, MemoryLimitIsKept) {
  TEMPER_NEED_PJRT();
  EXPECT_THROW(compile(counted_device(), sum_graph(), {.memory_limit = 8}), MemoryRefused);
}

TEST(PjrtDevice, NanSurvivesFolds) {
  TEMPER_NEED_PJRT();
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

using PjrtCache = KeptPrograms;

TEST_F(PjrtCache, CompilesOnce) {
  TEMPER_NEED_PJRT();
  Device& device = counted_device();
  const auto loaded = calls_of(Function::executable_deserialize_and_load),
             compiled = calls_of(Function::client_compile);
  const int before = loaded();
  EXPECT_EQ(grows(device, compiled), 1);
  EXPECT_EQ(grows(device, compiled), 0);
  EXPECT_EQ(loaded() - before, 1);
}

TEST_F(PjrtCache, ADamagedEntryIsSaidAndMadeAgain) {
  TEMPER_NEED_PJRT();
  expect_damage_is_said_and_mended(counted_device(), "pjrt", calls_of(Function::client_compile));
}

}  // namespace
}  // namespace temper::pjrt
