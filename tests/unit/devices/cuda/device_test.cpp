// Tensors, donation, what a run asks of the driver, memory, faults and the cache of compiled programs.
#include <cmath>
#include <thread>

#include "fake_device.h"
#include "support/device_cases.h"
#include "support/expect_error.h"

namespace temper::cuda {
namespace {

Value input(Builder& b, const char* name, const Shape& shape) { return b.input(name, {DType::f32, shape}); }

// A program with its arguments on the device.
struct Loaded {
  explicit Loaded(const Graph& graph, std::vector<Tensor> inputs = {floats({1, 2, 3}), floats({1, 1, 1})})
      : executable(compile(fake_device(), graph)), context(executable->make_context()) {
    for (size_t i = 0; i < inputs.size(); ++i)
      arguments.push_back(upload(fake_device(), inputs[i], executable->program().inputs[i]));
  }
  Tensor run() {
    std::vector<Tensor> results(executable->program().outputs.size());
    executable->run(*context, arguments, results);
    return results[0];
  }
  std::unique_ptr<Executable> executable;
  std::unique_ptr<Context> context;
  std::vector<Tensor> arguments;
};

TEST(CudaDevice, CopiesAndBeginsWithZeros) { expect_copies_and_zeros(fake_device()); }

TEST(CudaDevice, MeasuresItsPeaksOnce) {
  expect_peaks_once(fake_device(), [] { return driver_calls("cuGraphLaunch"); });
}

// More than both pinned buffers hold.
TEST(CudaDevice, UploadsInParts) {
  Device& device = fake_device();
  const Type type{DType::i32, {5, 1 << 20}};
  std::vector<int32_t> numbers(5 << 20);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int32_t>(i * 2654435761U);
  const Tensor host = Tensor::from<int32_t>(type.shape, numbers);
  Tensor on_device = device.allocate(type, 0);
  const int sent = driver_calls("cuMemcpyHtoDAsync_v2");
  device.copy(host, on_device);
  EXPECT_EQ(driver_calls("cuMemcpyHtoDAsync_v2") - sent, 5);
  EXPECT_TRUE(download(device, on_device) == host);
}

// The first run is put in by launches, the second captured; from then on a step is one call.
TEST(CudaDevice, StateStaysAndAStepIsOneGraph) {
  Loaded loaded(sum_graph());
  EXPECT_EQ(loaded.executable->program().memory.outputs, 0);
  const auto step = [&] {
    Tensor result = loaded.run();
    EXPECT_TRUE(loaded.arguments[0].empty());
    loaded.arguments[0] = std::move(result);
  };
  step();
  step();
  constexpr const char* kNone[] = {
      "cuLaunchKernel", "cuMemcpyDtoHAsync_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoDAsync_v2",
      "cuMemAlloc_v2",  "cuMemsetD8Async",      "cuEventSynchronize",   "cuGraphInstantiateWithFlags"};
  std::vector<int> before;
  for (const char* call : kNone) before.push_back(driver_calls(call));
  const int graphs = driver_calls("cuGraphLaunch"), waits = driver_calls("cuStreamSynchronize");
  for (int i = 0; i < 10; ++i) step();
  EXPECT_EQ(driver_calls("cuGraphLaunch") - graphs, 10);
  EXPECT_EQ(driver_calls("cuStreamSynchronize") - waits, 10);
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(driver_calls(kNone[i]), before[i]) << kNone[i];
  EXPECT_EQ(to_doubles(download(fake_device(), loaded.arguments[0])), (std::vector<double>{13, 14, 15}));
}

// Results that lie elsewhere each time are put in by launches after a few tries; two places in turn are two
// graphs.
TEST(CudaDevice, WhatChangesEachTimeIsNotCaptured) {
  Graph graph;
  Builder b(graph);
  b.output("y", ops::mul(b, input(b, "x", {3}), 2));
  Loaded loaded(graph, {floats({1, 2, 3})});
  std::vector<Tensor> kept;
  for (int i = 0; i < 12; ++i) kept.push_back(loaded.run());
  const int captured = driver_calls("cuGraphInstantiateWithFlags"), launched = driver_calls("cuLaunchKernel");
  for (int i = 0; i < 5; ++i) kept.push_back(loaded.run());
  EXPECT_EQ(driver_calls("cuGraphInstantiateWithFlags"), captured);
  EXPECT_EQ(driver_calls("cuLaunchKernel") - launched, 5);
  for (const Tensor& result : kept)
    EXPECT_EQ(to_doubles(download(fake_device(), result)), (std::vector<double>{2, 4, 6}));
}

TEST(CudaDevice, TwoPlacesInTurnAreTwoGraphs) {
  Graph graph;
  Builder b(graph);
  b.output("y", ops::mul(b, input(b, "x", {3}), 2));
  Loaded loaded(graph, {floats({1, 2, 3})});
  std::vector<std::vector<Tensor>> results{{loaded.run()}, {loaded.run()}};
  const auto both = [&] {
    for (std::vector<Tensor>& result : results)
      loaded.executable->run(*loaded.context, loaded.arguments, result);
  };
  both();
  const int captured = driver_calls("cuGraphInstantiateWithFlags");
  both();
  both();
  EXPECT_EQ(driver_calls("cuGraphInstantiateWithFlags"), captured);
}

// A loop whose end is a value is put in by launches, and the host reads a byte each round.
TEST(CudaDevice, WhatTheHostDecidesIsNotCaptured) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {}});
  Graph goes_on, doubled;
  Builder c(goes_on), d(doubled);
  c.output("more", ops::compare(c, c.input("x", {DType::f32, {}}), c.scalar(DType::f32, 100.0), "lt"));
  const Value y = d.input("x", {DType::f32, {}});
  d.output("x", ops::add(d, y, y));
  b.output("x", ops::while_loop(b, std::move(goes_on), std::move(doubled), {x}, {})[0]);
  Loaded loaded(graph, {Tensor::scalar(3.0F)});
  const int captured = driver_calls("cuStreamBeginCapture_v2"), read = driver_calls("cuMemcpyDtoHAsync_v2");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(to_doubles(download(fake_device(), loaded.run()))[0], 192);
  EXPECT_EQ(driver_calls("cuStreamBeginCapture_v2"), captured);
  EXPECT_EQ(driver_calls("cuMemcpyDtoHAsync_v2") - read, 3 * (7 + 1));
}

// Each captures its own launches, however the threads meet.
TEST(CudaDevice, ThreadsShareAGpu) {
  fake_device();
  const auto work = [](float begin) {
    Loaded loaded(sum_graph(), {floats({begin, 0, 0}), floats({1, 1, 1})});
    for (int i = 0; i < 50; ++i) {
      loaded.arguments[0] = loaded.run();
      loaded.arguments[1] = upload(fake_device(), floats({1, 1, 1}), loaded.executable->program().inputs[1]);
    }
    EXPECT_EQ(to_doubles(download(fake_device(), loaded.arguments[0])),
              (std::vector<double>{begin + 50, 50, 50}));
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work, static_cast<float>(100 * i));
  for (std::thread& thread : threads) thread.join();
}

TEST(CudaDevice, MeasuringALaunchReplaysNoGraph) {
  Loaded loaded(sum_graph());
  for (int i = 0; i < 3; ++i) loaded.arguments[0] = loaded.run();
  loaded.context->set_profiling(true);
  loaded.arguments[0] = loaded.run();
  const std::vector<LaunchProfile> profile = loaded.context->profile();
  ASSERT_EQ(profile.size(), 1U);
  EXPECT_EQ(profile[0].runs, 1);
  EXPECT_EQ(to_doubles(download(fake_device(), loaded.arguments[0])), (std::vector<double>{5, 6, 7}));
}

TEST(CudaDevice, WhatIsSharedIsNotGivenAway) { expect_shared_is_not_given_away(fake_device()); }

TEST(CudaDevice, SumsHaveTheSameBitsEachTime) {
  Graph graph;
  Builder b(graph);
  b.output("sum", ops::reduce_sum(b, input(b, "x", {50, 1000}), {0, 1}));
  std::vector<float> numbers;
  for (int i = 0; i < 50000; ++i) numbers.push_back(std::sin(static_cast<float>(i)));
  const std::vector<Tensor> inputs{Tensor::from<float>({50, 1000}, numbers)};
  const Tensor once = run_once(fake_device(), graph, inputs)[0];
  EXPECT_TRUE(run_once(fake_device(), graph, inputs)[0] == once);
}

TEST(CudaDevice, MemoryLimitIsKept) {
  EXPECT_THROW(compile(fake_device(), sum_graph(), {.memory_limit = 8}), MemoryRefused);
}

TEST(CudaDevice, SaysHowManyBytesItLacks) {
  Device& device = fake_device();
  const Told memory("TEMPER_FAKE_CUDA_MEMORY", concat(50 << 20));
  expect_error(ErrorKind::exhausted, "could not allocate 40000000 bytes for a tensor f32[10000000]",
               [&] { device.allocate({DType::f32, {10000000}}, 0); });
  expect_error(ErrorKind::exhausted, concat("of its ", 50 << 20, " bytes are left"),
               [&] { device.allocate({DType::f32, {10000000}}, 0); });
}

TEST(CudaDevice, SaysWhichTensorsAreLargest) {
  Graph graph;
  Builder b(graph);
  b.set_default_name("wide");
  const Value wide = ops::exp(b, ops::broadcast_in_dim(b, input(b, "x", {300, 1}), {300, 90000}, {0, 1}));
  b.output("y", ops::reduce_sum(
                    b, ops::mul(b, wide, ops::transpose(b, ops::transpose(b, wide, {1, 0}), {1, 0})), {1}));
  const auto executable = compile(fake_device(), graph);
  const Told memory("TEMPER_FAKE_CUDA_MEMORY", concat(50 << 20));
  expect_error(ErrorKind::exhausted,
               "temporaries of a program whose largest tensors are wide f32[300, 90000]",
               [&] { executable->make_context(); });
}

TEST(CudaDevice, SaysWhatTheCompilerSays) {
  Device& device = fake_device();
  const Told other("TEMPER_FAKE_CUDA_BUILD", "void k() { no_such_name(); }");
  expect_error(ErrorKind::device, "no_such_name", [&] { compile(device, sum_graph()); });
}

// Everything fails from then on; nothing hangs or aborts.
TEST(CudaDevice, ALostGpuIsAnError) {
  Loaded loaded(sum_graph());
  for (int i = 0; i < 3; ++i) loaded.arguments[0] = loaded.run();
  const Told lost("TEMPER_FAKE_CUDA_LOST_AT", "1");
  expect_error(ErrorKind::device, "it is lost to this process", [&] { loaded.run(); });
  expect_error(ErrorKind::device, "it is lost to this process",
               [&] { fake_device().allocate({DType::f32, {3}}, 0); });
  heal_fake_cuda();
}

using CudaCache = KeptPrograms;

int compiled() { return fake_cuda_calls("libnvrtc.so.13", "nvrtcCompileProgram"); }

TEST_F(CudaCache, CompilesOnce) {
  EXPECT_EQ(grows(fake_device(), compiled), 1);
  EXPECT_EQ(grows(fake_device(), compiled), 0);
}

TEST_F(CudaCache, ADamagedEntryIsSaidAndMadeAgain) {
  expect_damage_is_said_and_mended(fake_device(), "cuda", compiled);
}

}  // namespace
}  // namespace temper::cuda
