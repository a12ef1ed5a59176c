#pragma once
// What every device must do, for the tests of each.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "ir/builder.h"
#include "ops/primitives.h"
#include "runtime/compile.h"
#include "support/temporary_folder.h"

namespace temper {

inline Tensor floats(const std::vector<float>& values) {
  return Tensor::from<float>({static_cast<int64_t>(values.size())}, std::span(values));
}

// state' = state + x, with the state given away
inline Graph sum_graph() {
  Graph graph;
  Builder b(graph);
  const Value state = b.input("state", {DType::f32, {3}}), x = b.input("x", {DType::f32, {3}});
  b.output("state", ops::add(b, state, x));
  graph.donations = {{0, 0}};
  return graph;
}

inline void expect_copies_and_zeros(Device& device) {
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

// measured: a number that grows while it measures.
inline void expect_peaks_once(Device& device, const std::function<int()>& measured) {
  EXPECT_EQ(device.facts().peak_flops, 0);
  const DeviceFacts facts = device.measure();
  EXPECT_GT(facts.peak_flops, 1e8);
  EXPECT_GT(facts.peak_bf16_flops, 1e7);
  EXPECT_GT(facts.peak_bytes_per_second, 1e7);
  const int before = measured();
  EXPECT_EQ(device.measure().peak_flops, facts.peak_flops);
  EXPECT_EQ(measured(), before);
}

// Ten steps of sum_graph, whose state stays on the device: counts of calls to the driver while they run.
inline std::vector<int> calls_of_ten_steps(Device& device, const std::vector<std::function<int()>>& counts) {
  const auto executable = compile(device, sum_graph());
  EXPECT_EQ(executable->program().memory.outputs, 0);
  const auto context = executable->make_context();
  std::vector<Tensor> arguments{upload(device, floats({1, 2, 3}), executable->program().inputs[0]),
                                upload(device, floats({1, 1, 1}), executable->program().inputs[1])};
  std::vector<int> calls;
  for (const auto& count : counts) calls.push_back(-count());
  for (int step = 0; step < 10; ++step) {
    std::vector<Tensor> results(1);
    executable->run(*context, arguments, results);
    EXPECT_TRUE(arguments[0].empty());
    arguments[0] = results[0];
  }
  for (size_t i = 0; i < counts.size(); ++i) calls[i] += counts[i]();
  EXPECT_EQ(to_doubles(download(device, arguments[0])), (std::vector<double>{11, 12, 13}));
  return calls;
}

// Another tensor with the same memory, and a copy, keep what they had.
inline void expect_shared_is_not_given_away(Device& device) {
  const auto executable = compile(device, sum_graph());
  std::vector<Tensor> arguments{upload(device, floats({1, 2, 3}), executable->program().inputs[0]),
                                upload(device, floats({1, 1, 1}), executable->program().inputs[1])};
  const Tensor same = arguments[0];
  Tensor copy = device.allocate(same.type(), 0);
  device.copy(same, copy);
  std::vector<Tensor> results(1);
  executable->run(*executable->make_context(), arguments, results);
  EXPECT_EQ(to_doubles(download(device, results[0])), (std::vector<double>{2, 3, 4}));
  EXPECT_EQ(to_doubles(download(device, same)), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(to_doubles(download(device, copy)), (std::vector<double>{1, 2, 3}));
}

// Programs kept on disk, in a folder of the test's own.
class KeptPrograms : public testing::Test {
 protected:
  void SetUp() override { setenv("TEMPER_CACHE", folder_.path().c_str(), 1); }
  void TearDown() override { setenv("TEMPER_CACHE", "off", 1); }

  // By how much `count` grows while a program is had and run.
  static int grows(Device& device, const std::function<int()>& count) {
    const int before = count();
    EXPECT_EQ(to_doubles(run_once(device, sum_graph(), {floats({1, 2, 3}), floats({4, 5, 6})})[0]),
              (std::vector<double>{5, 7, 9}));
    return count() - before;
  }

  // part: the folder in the cache; compiled: how often the device's compiler ran.
  void expect_damage_is_said_and_mended(Device& device, const std::string& part,
                                        const std::function<int()>& compiled) const {
    EXPECT_EQ(grows(device, compiled), 1);
    const std::filesystem::path file = std::filesystem::directory_iterator(folder_.path() / part)->path();
    std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(100).put('!');
    testing::internal::CaptureStderr();
    EXPECT_EQ(grows(device, compiled), 1);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("is damaged (the checksum is wrong)"),
              std::string::npos);
    EXPECT_EQ(grows(device, compiled), 0);
    std::filesystem::resize_file(file, 10);
    EXPECT_EQ(grows(device, compiled), 1);
  }

  TemporaryFolder folder_;
};

}  // namespace temper
