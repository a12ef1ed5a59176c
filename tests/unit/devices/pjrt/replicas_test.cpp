// A step on several devices at once: the mathematics of one device with the whole batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/text.h"
#include "cpu_plugin.h"
#include "nn/layers.h"
#include "ops/primitives.h"
#include "runtime/compile.h"
#include "train/programs.h"
#include "train/trainable.h"

namespace temper::pjrt {
namespace {

using Outputs = std::map<std::string, std::vector<double>>;

Device& all_devices() {
  counted_device();
  return open_device(concat("pjrt:", counting_plugin(), ":all"));
}

// x[N, 2, 4, 4] -> conv 3x3 [-> batch norm] -> relu -> gap -> dense 8 -> dropout -> dense 3
Model small_cnn(bool norm) {
  Model model;
  Builder b(model.graph);
  const Value x = b.input("x", {DType::f32, {Dim::symbol("N"), 2, 4, 4}});
  nn::Layers layers(model, 1);
  Value y = layers.conv("conv", x, {.channels = 4, .padding = 1});
  if (norm) y = layers.batch_norm("norm", y);
  y = layers.dense("hidden", layers.global_avg_pool("gap", layers.activation("relu", y, "relu")), 8);
  y = layers.dense("out", layers.dropout("drop", y, 0.5), 3);
  model.graph.outputs.push_back({"y", y});
  return model;
}

// The same for the same name and type, whatever the device.
Tensor value_of(const Model& model, const Argument& input) {
  const std::string_view name = input.name;
  if (name.starts_with("param.")) return model.parameters.at(std::string(name.substr(6)));
  const auto count = static_cast<size_t>(input.type.shape.elements());
  std::vector<int64_t> numbers(count);
  if (name == "replica") std::iota(numbers.begin(), numbers.end(), 0);
  if (name == "key") numbers = {17, 4};
  for (size_t i = 0; i < count && name == "labels"; ++i) numbers[i] = static_cast<int64_t>(i * i % 3);
  if (!is_float(input.type.dtype)) return from_int64s(input.type, numbers);
  std::vector<double> reals(count);
  for (size_t i = 0; i < count; ++i) {
    if (name == "weights") reals[i] = 0.5 + static_cast<double>(i % 5) / 4;
    if (name == "hyper.lr") reals[i] = 0.1;
    if (name == "hyper.step") reals[i] = 1;
    if (name.starts_with("input.")) reals[i] = std::sin(static_cast<double>(i * i % 977));
  }
  return from_doubles(input.type, reals);
}

Outputs step_on(Device& device, const Model& model, StepOptions options) {
  options.replicas = replicas_for(device, options.batch);
  options.trainable = trainable_parameters(model, "all", "", {});
  const Graph graph = build_step(model, options);
  CompileOptions compile_options;
  share_out(graph, options.replicas, compile_options);
  const auto program = compile(device.target(), {}, graph, compile_options);
  std::vector<Tensor> inputs;
  for (const Argument& input : program->inputs) inputs.push_back(value_of(model, input));
  const std::vector<Tensor> found = run_once(device, graph, inputs, compile_options);
  Outputs outputs;
  for (size_t i = 0; i < found.size(); ++i) outputs[program->outputs[i].name] = to_doubles(found[i]);
  return outputs;
}

void expect_equal(const Outputs& found, const Outputs& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, numbers] : expected) {
    const std::vector<double>& other = found.at(name);
    ASSERT_EQ(other.size(), numbers.size()) << name;
    double largest = 0;
    for (const double x : numbers) largest = std::max(largest, std::isfinite(x) ? std::fabs(x) : 0);
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (std::isfinite(numbers[i]))
        EXPECT_NEAR(other[i], numbers[i], 1e-5 * largest) << name << " " << i;
      else
        EXPECT_EQ(other[i], numbers[i]) << name << " " << i;
    }
  }
}

TEST(PjrtReplicas, TensorsAreCopiedOrSharedOut) {
  TEMPER_NEED_PJRT();
  Device& device = all_devices();
  ASSERT_EQ(device.replicas(), 4);
  const Type type{DType::f32, {8, 3}};
  std::vector<double> numbers(24);
  std::iota(numbers.begin(), numbers.end(), 1);
  for (const int64_t from : {0, 1, 2}) {
    for (const int64_t to : {0, 1, 2}) {
      Tensor first = device.allocate(type, from), second = device.allocate(type, to);
      EXPECT_EQ(to_doubles(download(device, first)), std::vector<double>(24, 0));
      device.copy(from_doubles(type, numbers), first);
      device.copy(first, second);
      EXPECT_EQ(to_doubles(download(device, second)), numbers) << from << " to " << to;
    }
  }
}

// Sums of losses, counts and gradients, dropout's masks included.
TEST(PjrtReplicas, GradientsAreThoseOfTheWholeBatch) {
  TEMPER_NEED_PJRT();
  const Model model = small_cnn(false);
  const StepOptions options{.batch = 16, .part = StepOptions::gather};
  const int executes = times_called(Function::loaded_executable_execute);
  const Outputs found = step_on(all_devices(), model, options);
  EXPECT_EQ(times_called(Function::loaded_executable_execute) - executes, 1);
  expect_equal(found, step_on(counted_device(), model, options));
}

TEST(PjrtReplicas, AWholeStepLeavesTheSameState) {
  TEMPER_NEED_PJRT();
  const Model model = small_cnn(false);
  StepOptions options{.batch = 12, .clip_norm = 0.1, .ema = 0.9};
  options.optimizer.kind = "sgd";
  options.optimizer.momentum = 0.9;
  options.optimizer.weight_decay = 0.01;
  expect_equal(step_on(all_devices(), model, options), step_on(counted_device(), model, options));
}

// Statistics of each replica's part, unless they are asked for over all.
TEST(PjrtReplicas, NormsAreLocalUnlessSynchronised) {
  TEMPER_NEED_PJRT();
  const Model model = small_cnn(true);
  StepOptions options{.batch = 16, .part = StepOptions::gather};
  const Outputs one = step_on(counted_device(), model, options),
                local = step_on(all_devices(), model, options);
  const auto mean = [](const Outputs& outputs) { return outputs.at("param.norm.running_mean"); };
  for (size_t i = 0; i < mean(one).size(); ++i) EXPECT_NEAR(mean(local)[i], mean(one)[i], 1e-6);
  EXPECT_NE(local.at("gradient.conv.weight"), one.at("gradient.conv.weight"));
  options.sync_norm = true;
  Outputs synchronised = step_on(all_devices(), model, options), expected = one;
  // A norm takes the bias of a convolution away: that gradient is rounding alone.
  for (Outputs* outputs : {&synchronised, &expected}) outputs->erase("gradient.conv.bias");
  expect_equal(synchronised, expected);
}

TEST(PjrtReplicas, ABatchThatLeavesARestRunsOnOne) {
  TEMPER_NEED_PJRT();
  EXPECT_EQ(replicas_for(all_devices(), 32), 4);
  EXPECT_EQ(replicas_for(all_devices(), 30), 1);
  const Model model = small_cnn(false);
  const StepOptions options{.batch = 6, .part = StepOptions::gather};
  expect_equal(step_on(all_devices(), model, options), step_on(counted_device(), model, options));
}

// State goes from a program of all replicas to one of the first and back.
TEST(PjrtReplicas, StateGoesBetweenPrograms) {
  TEMPER_NEED_PJRT();
  Device& device = all_devices();
  const auto add = [](int64_t replicas) {
    Graph graph;
    Builder b(graph);
    const Value state = b.input("state", {DType::f32, {2}}),
                x = b.input("x", {DType::f32, {8 / replicas, 2}});
    Value sum = ops::reduce_sum(b, x, {0});
    if (replicas > 1) sum = ops::all_reduce(b, sum, "sum", replicas);
    b.output("state", ops::add(b, state, sum));
    graph.donations = {{0, 0}};
    return graph;
  };
  DeviceState state(device);
  state.set("state", Tensor(Type{DType::f32, {2}}));
  BoundProgram all(state, add(4), {.replicas = 4, .shared = {"x"}}), one(state, add(1), {});
  std::vector<double> numbers(16);
  std::iota(numbers.begin(), numbers.end(), 0);  // columns sum up to 56 and 64
  for (BoundProgram* program : {&all, &one, &all, &all, &one}) {
    program->fill("x", from_doubles({DType::f32, {8, 2}}, numbers));
    program->run();
  }
  EXPECT_EQ(to_doubles(state.get("state")), (std::vector<double>{5 * 56, 5 * 64}));
}

}  // namespace
}  // namespace temper::pjrt
