// Steps under a memory limit: less memory, the same bits; and what is said of a limit that is too small.
#include "train/memory.h"

#include <gmock/gmock.h>

#include <cstring>

#include "nn/layers.h"
#include "nn/models.h"
#include "runtime/compile.h"
#include "support/expect_error.h"
#include "support/sanitizers.h"
#include "train/bench_step.h"
#include "train/step.h"
#include "train/trainable.h"
#include "unit/train/run.h"

namespace temper {
namespace {

using testing::Contains;
using testing::HasSubstr;

// Two convolutions with norms, dropouts between them, a dense head.
Model dropping_cnn() {
  Model model;
  Builder b(model.graph);
  nn::Layers layers(model, 1);
  Value y = b.input("x", {DType::f32, {Dim::symbol("N"), 3, 16, 16}});
  for (const char* name : {"a", "b", "c"}) {
    y = layers.conv(concat(name, ".conv"), y, {.channels = 16, .padding = 1});
    y = layers.activation(concat(name, ".relu"), layers.batch_norm(concat(name, ".norm"), y), "relu");
    y = layers.dropout(concat(name, ".drop"), y, 0.3);
  }
  y = layers.dense("hidden", layers.global_avg_pool("gap", y), 32);
  y = layers.dropout("drop", layers.activation("gelu", y, "gelu"), 0.5);
  b.output("y", layers.dense("out", y, 10));
  return model;
}

Graph step_of(const Model& model, int64_t batch, const std::string& optimizer = "adam") {
  StepOptions options{.batch = batch, .trainable = trainable_parameters(model, "all", "", {})};
  options.optimizer.kind = optimizer;
  options.clip_norm = optimizer == "adam" ? 1 : 0;
  return build_step(model, options);
}

Tensor start_value(const Model& model, const Argument& input, size_t number) {
  if (input.name.starts_with("param.")) return model.parameters.at(input.name.substr(6)).clone();
  Tensor tensor(input.type);
  const auto count = static_cast<size_t>(input.type.shape.elements());
  if (input.name.starts_with("input."))
    for (size_t i = 0; i < count; ++i)
      tensor.mutable_values<float>()[i] = static_cast<float>((i * 37 + number) % 101) / 50 - 1;
  if (input.name == "labels")
    for (size_t i = 0; i < count; ++i) tensor.mutable_values<int64_t>()[i] = static_cast<int64_t>(i % 10);
  if (input.name == "weights" || input.name.starts_with("hyper."))
    for (float& x : tensor.mutable_values<float>()) x = input.name == "weights" ? 1.0f : 0.01f;
  return tensor;
}

// Everything that three steps leave, parameters, slots, statistics, sums and key.
std::vector<Tensor> three_steps(const Model& model, const Executable& executable) {
  Device& device = test_device();
  const Program& program = executable.program();
  std::vector<Tensor> arguments, results(program.outputs.size());
  for (const Argument& input : program.inputs)
    arguments.push_back(upload(device, start_value(model, input, arguments.size()), input));
  const std::unique_ptr<Context> context = executable.make_context();
  for (int i = 0; i < 3; ++i) {
    executable.run(*context, arguments, results);
    for (const Donation& pair : program.donations)
      arguments[static_cast<size_t>(pair.input)] = std::move(results[static_cast<size_t>(pair.output)]);
  }
  std::vector<Tensor> state;
  for (const Donation& pair : program.donations)
    state.push_back(download(device, arguments[static_cast<size_t>(pair.input)]));
  return state;
}

int64_t least_memory(const Graph& graph) {
  try {
    compile(test_device(), graph, {.threads = 2, .memory_limit = 1});
  } catch (const MemoryRefused& refused) {
    return refused.least();
  }
  ADD_FAILURE() << "one byte is enough";
  return 0;
}

// At several limits from the plain plan's memory to the least possible: kept, equal in every bit, and never
// more memory for a smaller limit.
void expect_same_bits(const std::string& name, const Model& model, const Graph& graph, double least_share) {
  const auto plain = compile(test_device(), graph, {.threads = 2});
  const int64_t most = plain->program().memory.total(), least = least_memory(graph);
  const int64_t outside = most - plain->program().memory.temporaries;
  EXPECT_LT(static_cast<double>(least - outside), least_share * static_cast<double>(most - outside)) << name;
  const std::vector<Tensor> expected = three_steps(model, *plain);
  int64_t before = most;
  for (const double share : {1.0, 0.66, 0.33, 0.0}) {
    const int64_t limit = least + static_cast<int64_t>(share * static_cast<double>(most - least));
    const auto limited = compile(test_device(), graph, {.threads = 2, .memory_limit = limit});
    const int64_t planned = limited->program().memory.total();
    EXPECT_LE(planned, limit) << name;
    EXPECT_LE(planned, before) << name << ": a smaller limit plans more";
    EXPECT_EQ(repeated(limited->launches()).launches > 0, limit < most) << name;
    before = planned;
    const std::vector<Tensor> found = three_steps(model, *limited);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i)
      ASSERT_EQ(std::memcmp(found[i].data(), expected[i].data(), static_cast<size_t>(found[i].bytes())), 0)
          << name << ", state " << i << " at " << limit << " of " << most << " bytes";
  }
}

TEST(Memory, AnMlpComputesTheSameInLess) {
  const Model model = nn::build_model("mlp:64-256-256-256-256-10", 1);
  expect_same_bits("mlp", model, step_of(model, 512), 0.9);
}

TEST(Memory, DropoutAndNormsAreTheSameWhenRepeated) {
  const Model model = dropping_cnn();
  expect_same_bits("adam and clipping", model, step_of(model, 16), 0.75);
  if (!TEST_SANITIZED) expect_same_bits("sgd", model, step_of(model, 16, "sgd"), 0.75);
}

TEST(Memory, ResNet18ComputesTheSameInLess) {
  if (TEST_SANITIZED)
    GTEST_SKIP() << "skipped, because it takes minutes under a sanitizer; small models do not";
  const Model model = nn::build_model("resnet18", 1);
  expect_same_bits("resnet18", model, step_of(model, 2, "sgd"), 0.7);
}

TEST(Memory, MobileNetV2ComputesTheSameInLess) {
  if (TEST_SANITIZED)
    GTEST_SKIP() << "skipped, because it takes minutes under a sanitizer; small models do not";
  const Model model = nn::build_model("mobilenet_v2", 1);
  expect_same_bits("mobilenet_v2", model, step_of(model, 2, "sgd"), 0.5);
}

TEST(Memory, ALimitThatCannotBeMetNamesWhatWould) {
  const Model model = dropping_cnn();
  const int64_t left = least_memory(step_of(model, 8)), limit = left + 5'000'000;
  const auto step = [&](int64_t batch, int64_t memory) {
    compile(test_device(), step_of(model, batch), {.threads = 2, .memory_limit = memory});
  };
  compile_within(limit, left, 8, step);
  std::string message;
  try {
    compile_within(limit, left, 64, step);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::exhausted);
    message = error.what();
  }
  EXPECT_THAT(message, HasSubstr("memory: a step of batch 64 needs at least "));
  EXPECT_THAT(message, testing::ContainsRegex("; a batch of [1-9][0-9]* fits; the largest tensors: "));
  // What is named does fit.
  const size_t at = message.find("a batch of ") + 11;
  const int64_t fits = std::stoll(message.substr(at));
  EXPECT_GE(fits, 4);
  EXPECT_LT(fits, 64);
  EXPECT_NO_THROW(step(fits, left));
  const size_t least = message.find("at least ") + 9;
  EXPECT_NO_THROW(step(64, std::stoll(message.substr(least)) * 1'000'000 - 5'000'000));
  expect_error(ErrorKind::exhausted, "not even a batch of 1 fits",
               [&] { compile_within(100, 100, 64, step); });
}

TEST(Memory, ARunSaysWhatItNeedsAndLearnsTheSame) {
  const TemporaryFolder folder;
  const std::string data = write_quarters(folder, 400, 100);
  Recipe recipe = small_recipe(folder, data, "free");
  KeptEvents events;
  train(recipe, events);
  Recipe limited = small_recipe(folder, data, "limited");
  limited.memory = 2'000'000'000;
  train(limited, events);
  EXPECT_THAT(events.notes, Contains(HasSubstr(" of 2.00 GB allowed")));
  EXPECT_EQ(bytes_of(folder.path() / "free" / "model.onnx"),
            bytes_of(folder.path() / "limited" / "model.onnx"));
  limited.memory = 1000;
  limited.out = (folder.path() / "refused").string();
  expect_error(ErrorKind::exhausted, "memory: a step of batch ", [&] { train(limited, events); });
}

}  // namespace
}  // namespace temper
