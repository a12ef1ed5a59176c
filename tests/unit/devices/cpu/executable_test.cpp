#include <thread>

#include "devices/cpu/layout.h"
#include "grad/gradient.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "run.h"
#include "support/hooks/allocations.h"

namespace temper {

namespace {

const Type kVector{DType::f32, {1000}};

// State given away at once: what the executable leaves in the outputs.
std::vector<Tensor> run_donating(const Graph& graph, const std::vector<Tensor>& inputs) {
  const auto executable = load(graph);
  const Program& program = executable->program();
  std::vector<Tensor> arguments, results(program.outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    arguments.push_back(upload(processor(), inputs[i], program.inputs[i]));
  std::vector<const void*> memory;
  for (const Donation& donation : program.donations)
    memory.push_back(arguments[static_cast<size_t>(donation.input)].data());
  executable->run(*executable->make_context(), arguments, results);
  for (size_t i = 0; i < program.donations.size(); ++i) {
    EXPECT_TRUE(arguments[static_cast<size_t>(program.donations[i].input)].empty());
    EXPECT_EQ(results[static_cast<size_t>(program.donations[i].output)].data(), memory[i]);
  }
  for (Tensor& result : results) result = download(processor(), result);
  return results;
}

void expect_donation_is_safe(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
  expect_close(run_donating(graph, inputs), interpret(graph, inputs), 1e-6);
}

// A small convolutional training step: x, labels, w, v, bias -> loss, w', v'
Graph training_step(int64_t batch) {
  Graph graph;
  Builder b(graph);
  const Shape ws{16, 3, 3, 3};
  const ops::Conv2d attributes{.low = {1, 1}, .high = {1, 1}};
  const Value x = b.input("x", {DType::f32, {batch, 3, 12, 12}});
  const Value labels = b.input("labels", {DType::i64, {batch}});
  const Value w = b.input("w", {DType::f32, ws}), v = b.input("v", {DType::f32, ws});
  const Value dense = b.input("dense", {DType::f32, {16, 10}});
  const Value y = ops::relu(b, ops::conv2d(b, x, w, {}, attributes));
  const Value pooled = ops::reduce_mean(b, y, {2, 3});
  const Value logits = ops::matmul(b, pooled, dense);
  b.output("loss", ops::reduce_mean(b, ops::cross_entropy(b, logits, labels, 0), {0}));
  const Value dloss = ops::full(b, {DType::f32, {batch}}, 1.0 / static_cast<double>(batch));
  const Value dlogits = ops::cross_entropy_grad(b, logits, labels, dloss, 0);
  const Value dpooled = ops::dot_general(b, dlogits, dense, {{}, {}, {1}, {1}});
  const Value spread = ops::broadcast_in_dim(b, ops::div(b, dpooled, 144), b.shape(y), {0, 1});
  const Value positive = ops::compare(b, y, ops::zeros(b, b.type(y)), "gt");
  const Value dy = ops::select(b, positive, spread, ops::zeros(b, b.type(y)));
  const Value dw = ops::conv_weight_grad(b, x, dy, ws, attributes);
  const Value velocity = ops::add(b, ops::mul(b, v, 0.9), dw);
  b.output("w'", ops::sub(b, w, ops::mul(b, velocity, 0.1)));
  b.output("v'", velocity);
  graph.donations = {{2, 1}, {3, 2}};
  return graph;
}

std::vector<Tensor> step_inputs(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) {
    const Type& type = graph.type(port.value);
    inputs.push_back(filled(type, inputs.size() + 1));
    if (type.dtype != DType::i64) continue;
    for (int64_t& label : inputs.back().mutable_values<int64_t>()) label = (label + 8) % 10;
  }
  return inputs;
}

}  // namespace

TEST(Donation, WritesInPlace) {
  Graph graph;
  Builder b(graph);
  b.output("y", ops::neg(b, b.input("x", kVector)));
  graph.donations = {{0, 0}};
  expect_donation_is_safe(graph);
}

TEST(Donation, WaitsForTheLastReader) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", kVector);
  const Value updated = ops::exp(b, x);
  b.output("x'", updated);
  b.output("sum", ops::reduce_sum(b, ops::mul(b, ops::reduce_sum(b, updated, {0}), x), {0}));
  graph.donations = {{0, 0}};
  expect_donation_is_safe(graph);
}

TEST(Donation, SwapsTwoTensors) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", kVector), y = b.input("y", kVector);
  b.output("x'", y);
  b.output("y'", x);
  graph.donations = {{0, 0}, {1, 1}};
  expect_donation_is_safe(graph);
}

TEST(Donation, RotatesThroughArithmetic) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", kVector), y = b.input("y", kVector), z = b.input("z", kVector);
  b.output("x'", ops::add(b, y, 1));
  b.output("y'", z);
  b.output("z'", ops::mul(b, x, y));
  graph.donations = {{0, 0}, {1, 1}, {2, 2}};
  expect_donation_is_safe(graph);
}

TEST(Donation, HandsOnWhatIsUnchanged) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", kVector);
  b.output("x'", x);
  b.output("y", ops::exp(b, x));
  graph.donations = {{0, 0}};
  expect_donation_is_safe(graph);
}

// The kernel reads other elements than those it writes.
TEST(Donation, IsNotInPlaceForKernelsThatMoveElements) {
  Graph graph;
  Builder b(graph);
  const Type square{DType::f32, {40, 40}};
  const Value x = b.input("x", square), y = b.input("y", square);
  b.output("x'", ops::transpose(b, x, {1, 0}));
  b.output("y'", ops::reverse(b, y, {0}));
  graph.donations = {{0, 0}, {1, 1}};
  expect_donation_is_safe(graph);
}

TEST(Executable, RunsATrainingStep) {
  const Graph graph = training_step(4);
  const std::vector<Tensor> inputs = step_inputs(graph);
  expect_close(run_donating(graph, inputs), interpret(graph, inputs), 1e-5);
}

TEST(Executable, KeepsWeightsAndTheirStateInOneLayout) {
  const auto executable = load(training_step(4));
  const Program& program = executable->program();
  EXPECT_NE(program.inputs[2].layout, 0);
  EXPECT_EQ(program.inputs[2].layout, program.inputs[3].layout);
  EXPECT_EQ(program.inputs[2].layout, program.outputs[1].layout);
  EXPECT_EQ(program.inputs[3].layout, program.outputs[2].layout);
}

TEST(Executable, ReturnsResultsThatAreInputsConstantsOrEqual) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 3}});
  const Value y = ops::exp(b, x);
  b.output("input", x);
  b.output("constant", b.constant(Tensor::from<float>({2}, std::vector<float>{3, 4})));
  b.output("once", y);
  b.output("twice", y);
  b.output("reshaped", ops::reshape(b, y, {3, 2}));
  b.output("transposed", ops::transpose(b, y, {1, 0}));
  const std::vector<Tensor> inputs{filled({DType::f32, {2, 3}}, 1)};
  expect_close(run(graph, inputs), interpret(graph, inputs), 1e-6);
}

// relu6 and its gradient: the convolution keeps no value before the activation.
TEST(Executable, TakesTheActivationInThoughItsGradientIsWanted) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 8, 6, 6}}), w = b.input("w", {DType::f32, {16, 8, 1, 1}});
  const Value before = ops::mul(b, ops::conv2d(b, x, w, {}, {}), 1);
  const Value y = ops::clamp(b, before, 0, 1);
  b.output("y", y);
  const Value dy = b.input("dy", b.type(y));
  const std::vector<Value> gradients = gradient(b, y, std::vector<Value>{x}, dy);
  b.output("dx", gradients[0]);
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
  const auto executable = load(graph);
  EXPECT_EQ(executable->program().clusters[0].nodes.size(), 3u);
  expect_close(run(*executable, inputs), interpret(graph, inputs), 1e-6);
}

TEST(Executable, AllocatesNothingOnceItHasRun) {
  if (!can_count_allocations()) GTEST_SKIP() << "skipped, because a sanitizer owns the allocator";
  const auto executable = load(training_step(8));
  const Program& program = executable->program();
  const std::vector<Tensor> inputs = step_inputs(program.graph);
  std::vector<Tensor> arguments, results(program.outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    arguments.push_back(upload(processor(), inputs[i], program.inputs[i]));
  const auto context = executable->make_context();
  const auto step = [&] {
    executable->run(*context, arguments, results);
    for (const Donation& donation : program.donations)
      arguments[static_cast<size_t>(donation.input)] =
          std::move(results[static_cast<size_t>(donation.output)]);
  };
  step();
  start_counting_allocations();
  for (int i = 0; i < 5; ++i) step();
  const Allocations found = stop_counting_allocations();
  EXPECT_EQ(found.own, 0);
  EXPECT_EQ(found.mapped, 0);

  start_counting_allocations();  // the count itself works
  results[0] = Tensor(Type{DType::f32, {16}});
  EXPECT_GT(stop_counting_allocations().own, 0);
}

TEST(Executable, RunsInSeveralContextsAtOnce) {
  const Graph graph = training_step(4);
  const std::vector<Tensor> inputs = step_inputs(graph);
  const auto executable = load(graph, {.threads = 1});
  const std::vector<Tensor> expected = run(*executable, inputs);
  std::vector<std::vector<Tensor>> found(4);
  std::vector<std::thread> callers;
  for (auto& results : found)
    callers.emplace_back([&] {
      for (int i = 0; i < 10; ++i) results = run(*executable, inputs);
    });
  for (std::thread& caller : callers) caller.join();
  for (const auto& results : found) expect_same_bits(results, expected);
}

TEST(Executable, GivesTheSameBitsForOneAndTwoThreads) {
  const Graph graph = training_step(6);
  const std::vector<Tensor> inputs = step_inputs(graph);
  expect_same_bits(run(graph, inputs, {.threads = 2}), run(graph, inputs, {.threads = 1}));
}

TEST(Executable, MeasuresItsLaunches) {
  const Graph graph = training_step(4);
  const auto executable = load(graph);
  const Program& program = executable->program();
  const auto context = executable->make_context();
  context->set_profiling(true);
  for (int i = 0; i < 2; ++i) {
    std::vector<Tensor> arguments, results(program.outputs.size());
    const std::vector<Tensor> inputs = step_inputs(graph);
    for (size_t k = 0; k < inputs.size(); ++k)
      arguments.push_back(upload(processor(), inputs[k], program.inputs[k]));
    executable->run(*context, arguments, results);
  }
  int64_t convolution = 0;
  for (const LaunchProfile& launch : context->profile()) {
    EXPECT_EQ(launch.runs, 2);
    EXPECT_GT(launch.seconds, 0);
    EXPECT_GT(launch.bytes, 0);
    if (launch.kind == "conv_weight_grad") convolution = launch.flops;
  }
  EXPECT_EQ(convolution, 2 * (4 * 16 * 12 * 12) * (3 * 3 * 3));
  context->set_profiling(false);
  EXPECT_TRUE(context->profile().empty());
}

TEST(Executable, RefusesAMemoryLimitItCannotKeep) {
  try {
    load(training_step(4), {.memory_limit = 100});
    FAIL() << "a step in 100 bytes";
  } catch (const MemoryRefused& refused) {
    EXPECT_EQ(refused.kind(), ErrorKind::exhausted);
    const auto least = load(training_step(4), {.memory_limit = refused.least()});
    EXPECT_EQ(least->program().memory.total(), refused.least());
    EXPECT_THROW(load(training_step(4), {.memory_limit = refused.least() - 1}), MemoryRefused);
    EXPECT_NE(std::string(refused.what()).find("the largest tensors: "), std::string::npos);
  }
}

// Gradients are all there before the first update in the graph; none has to wait for it in memory.
TEST(Executable, UpdatesAsSoonAsAGradientIsThere) {
  constexpr int kLayers = 12;
  const Type weight{DType::f32, {64, 64}};
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {64, 64}});
  std::vector<Value> weights, gradients;
  for (int i = 0; i < kLayers; ++i) weights.push_back(b.input(concat("w", i), weight));
  Value y = x;
  for (int i = 0; i < kLayers; ++i) {
    gradients.push_back(ops::matmul(b, y, ops::transpose(b, weights[static_cast<size_t>(i)], {1, 0})));
    y = ops::matmul(b, y, weights[static_cast<size_t>(i)]);
  }
  for (int i = 0; i < kLayers; ++i) {
    const auto at = static_cast<size_t>(i);
    graph.donations.push_back({i + 1, i});
    b.output(concat("w", i), ops::sub(b, weights[at], ops::mul(b, gradients[at], 0.1)));
  }
  b.output("y", y);
  const auto executable = load(graph);
  EXPECT_LE(executable->program().memory.temporaries, 6 * byte_size(weight));
  for (const LaunchProfile& launch : executable->launches()) EXPECT_NE(launch.kind, "copy") << launch.name;
  expect_donation_is_safe(graph);
}

TEST(Executable, ContextsMayShareAnArena) {
  const Graph small = training_step(2), large = training_step(8);
  const auto first = load(small), second = load(large);
  const auto arena = std::make_shared<Arena>();
  const auto a = first->make_context(arena), b = second->make_context(arena);
  EXPECT_EQ(arena->memory.bytes(),
            std::max(first->program().memory.temporaries, second->program().memory.temporaries));
  const auto run_in = [&](const Executable& executable, Context& context, const Graph& graph) {
    std::vector<Tensor> arguments, results(executable.program().outputs.size());
    const std::vector<Tensor> inputs = step_inputs(graph);
    for (size_t i = 0; i < inputs.size(); ++i)
      arguments.push_back(upload(processor(), inputs[i], executable.program().inputs[i]));
    executable.run(context, arguments, results);
    for (Tensor& result : results) result = download(processor(), result);
    return results;
  };
  const std::vector<Tensor> alone = run(small, step_inputs(small)), also = run(large, step_inputs(large));
  for (int i = 0; i < 2; ++i) {
    expect_same_bits(run_in(*first, *a, small), alone);
    expect_same_bits(run_in(*second, *b, large), also);
  }
}

TEST(Device, KeepsTensorsThroughEveryLayout) {
  const Type type{DType::f32, {32, 16, 3, 3}};
  const Tensor host = filled(type, 1);
  for (const int64_t layout :
       {cpu::channels_last(4),
        *cpu::encode({.rank = 4, .order = {0, 1, 2, 3}, .block_count = 2, .blocks = {{{1, 16}, {0, 16}}}})}) {
    Tensor inside = processor().allocate(type, layout);
    processor().copy(host, inside);
    expect_same_bits({download(processor(), inside)}, {host});
  }
  const Type wide{DType::i64, {2, 3, 4, 5}};
  Tensor inside = processor().allocate(wide, cpu::channels_last(4));
  processor().copy(filled(wide, 2), inside);
  expect_same_bits({download(processor(), inside)}, {filled(wide, 2)});
}

}  // namespace temper
