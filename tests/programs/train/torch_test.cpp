// Twenty steps against PyTorch in double: tests/golden/train/make.py made the numbers, and holds the same
// formulas.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <regex>
#include <sstream>

#include "base/json.h"
#include "devices/cpu/cpu.h"
#include "ir/builder.h"
#include "nn/layers.h"
#include "nn/models.h"
#include "passes/passes.h"
#include "runtime/registry.h"
#include "support/data.h"
#include "support/sanitizers.h"
#include "train/bench_step.h"
#include "train/programs.h"
#include "train/trainable.h"

namespace temper {
namespace {

constexpr int kBatches = 2;

uint32_t seed_of(std::string_view name) {
  uint32_t seed = 0;
  for (char letter : name) seed = seed * 31 + static_cast<unsigned char>(letter);
  return seed;
}

// In [-1, 1), a function of the name and the element's index.
double uniform(uint32_t seed, int64_t index) {
  uint32_t x = static_cast<uint32_t>(static_cast<uint64_t>(index) * 2654435761u) + seed;
  x ^= x >> 15;
  x *= 2246822519u;
  x ^= x >> 13;
  return static_cast<double>(x) / 2147483648.0 - 1;
}

Tensor filled(const Type& type, const std::string& name, double scale, double offset, double gain = 1) {
  Tensor tensor(type);
  const uint32_t seed = seed_of(name);
  int64_t index = 0;
  for (float& value : tensor.mutable_values<float>())
    value = static_cast<float>((uniform(seed, index++) * scale + offset) * gain);
  return tensor;
}

// Noise; pictures get squares of one colour besides, so that each differs from the others after any pooling.
Tensor pictures(const Type& type, const std::string& name) {
  if (type.shape.rank() < 4) return filled(type, name, 1, 0);
  Tensor tensor(type);
  const int64_t height = type.shape.size(2), width = type.shape.size(3), square = 16;
  const uint32_t seed = seed_of(name), squares = seed_of(name + ".squares");
  int64_t index = 0;
  for (float& value : tensor.mutable_values<float>()) {
    const int64_t plane = index / (height * width), y = index / width % height, x = index % width;
    const int64_t at = (plane * (height / square) + y / square) * (width / square) + x / square;
    value = static_cast<float>(0.5 * uniform(seed, index++) + uniform(squares, at));
  }
  return tensor;
}

// Integers below `values`.
Tensor numbers(const Type& type, const std::string& name, int64_t values) {
  Tensor tensor(type);
  const uint32_t seed = seed_of(name);
  int64_t index = 0;
  for (int64_t& value : tensor.mutable_values<int64_t>())
    value = static_cast<int64_t>((uniform(seed, index++) + 1) / 2 * static_cast<double>(values));
  return tensor;
}

// gains: pairs of a regular expression and a factor.
Tensor start_value(const std::string& name, const Type& type, const Json& gains) {
  if (name.ends_with("running_mean")) return filled(type, name, 0, 0);
  if (name.ends_with("running_var")) return filled(type, name, 0, 1);
  double gain = 1;
  for (const Json& pair : gains.items()) {
    if (std::regex_search(name, std::regex(pair.items()[0].text()))) gain *= pair.items()[1].number();
  }
  if (type.shape.rank() < 2) return filled(type, name, 0.1, name.ends_with("bias") ? 0 : 1, gain);
  double inputs = 1;
  for (int axis = 1; axis < type.shape.rank(); ++axis) inputs *= static_cast<double>(type.shape.size(axis));
  return filled(type, name, std::sqrt(6 / inputs), 0, gain);
}

// A built-in architecture, whose pictures are 224x224 and whose last map is 7x7, for pictures of 64x64.
Model for_small_pictures(Model model) {
  model.graph =
      rewrite(model.graph, [](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
        Attributes attributes;
        for (const auto& [name, value] : view.attributes().entries()) {
          const auto* shape = std::get_if<Shape>(&value);
          const bool pictures = shape && shape->rank() == 4 && !(*shape)[0].is_static();
          if (pictures)
            attributes.set(name,
                           Shape{(*shape)[0], (*shape)[1], shape->size(2) / 7 * 2, shape->size(3) / 7 * 2});
          else
            attributes.set(name, value == Attribute(Ints{7, 7}) ? Attribute(Ints{2, 2}) : value);
        }
        return b.emit_all(*view.node.op, {view.inputs.begin(), view.inputs.end()}, attributes,
                          view.node.name);
      });
  return model;
}

Model of_tokens(Model model, int64_t sequence) {
  model.graph = specialise(model.graph, {{"S", sequence}});
  return model;
}

Model without_dropout(Model model) {
  model.graph = rewrite(model.graph, [](Builder&, const NodeView& view) -> std::optional<std::vector<Value>> {
    if (view.node.op->name != "dropout_infer") return std::nullopt;
    return std::vector{view.inputs[0]};
  });
  return model;
}

Model small_cnn() {
  Model model;
  Builder b(model.graph);
  const Value x = b.input("input", {DType::f32, {Dim::symbol("N"), 3, 16, 16}});
  nn::Layers layers(model, 0);
  Value y = layers.batch_norm("bn1", layers.conv("conv1", x, {.channels = 8, .padding = 1}));
  y = layers.max_pool("pool", layers.activation("relu1", y, "relu"), 2, 2);
  y = layers.batch_norm("bn2", layers.conv("conv2", y, {.channels = 16, .padding = 1, .bias = false}));
  y = layers.global_avg_pool("gap", layers.activation("relu2", y, "relu"));
  layers.builder().output("output", layers.dense("fc", y, 10));
  return model;
}

// The same two batches over and over.
class FormulaBatches : public Batches {
 public:
  // values: of an input of integers
  FormulaBatches(const Type& input, std::string name, int64_t values) : name_("input." + std::move(name)) {
    for (int i = 0; i < kBatches; ++i) {
      const std::string batch = "input" + std::to_string(i);
      inputs_.push_back(is_float(input.dtype) ? pictures(input, batch) : numbers(input, batch, values));
    }
    rows_ = input.shape.size(0);
  }
  int64_t samples() const override { return rows_ * kBatches; }
  void start(LoaderPosition) override {}
  int64_t next() override {
    indices_.clear();
    ++batch_;
    for (int64_t row = 0; row < rows_; ++row) indices_.push_back(batch_ % kBatches * rows_ + row);
    return rows_;
  }
  LoaderPosition position() const override { return {}; }
  std::span<const int64_t> indices() const override { return indices_; }
  void fill(BoundProgram& program) override {
    program.fill(name_, inputs_[static_cast<size_t>(batch_ % kBatches)]);
  }

 private:
  std::string name_;
  std::vector<Tensor> inputs_;
  std::vector<int64_t> indices_;
  int64_t rows_ = 0, batch_ = -1;
};

Dataset formula_labels(int64_t rows, int64_t classes) {
  Dataset dataset;
  for (int64_t i = 0; i < kBatches; ++i) {
    for (int64_t row = 0; row < rows; ++row) {
      dataset.labels.push_back((7 * row + 3 * i) % classes);
      dataset.rows.push_back(static_cast<int64_t>(dataset.rows.size()));
    }
  }
  return dataset;
}

Json golden(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(in_repository("tests/golden/train/" + name + ".json")).rdbuf();
  return Json::parse(text.str());
}

// Norm and four elements of a parameter or gradient; `least` is the size below which a difference does not
// count.
void expect_near(std::vector<double> values, const Json& wanted, double tolerance, double least,
                 const std::string& name) {
  double norm = 0, largest = least;
  for (double value : values) norm += value * value, largest = std::max(largest, std::abs(value));
  const double wanted_norm = wanted.at("norm").number();
  EXPECT_NEAR(std::sqrt(norm), wanted_norm, tolerance * std::max(wanted_norm, least)) << name;
  const size_t at[] = {0, values.size() / 3, values.size() / 2, values.size() - 1};
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(values[at[i]], wanted.at("values").items()[i].number(), tolerance * largest)
        << name << " element " << at[i];
}

struct Case {
  std::string name;
  Model model;
  int64_t rows;
  nn::Optimizer optimizer;
  double lr, tolerance;
};

class Comparison {
 public:
  explicit Comparison(Case c) : case_(std::move(c)), wanted_(golden(case_.name)) {
    register_device(cpu::cpu_device());
    options_.batch = case_.rows, options_.optimizer = case_.optimizer;
    for (auto& [parameter, tensor] : case_.model.parameters)
      tensor = start_value(parameter, tensor.type(), wanted_.at("gains"));
    options_.trainable = trainable_parameters(case_.model, "all", "", {});
  }

  // From how far one step of plain descent goes, so far that where it began drowns.
  void check_gradients() {
    constexpr double kFar = 1e8;
    StepOptions descent = options_;
    descent.optimizer = {.kind = "sgd"};
    DeviceState state(open_device("cpu"));
    run(state, descent, kFar, 1, [](int64_t, double) {});
    double largest = 0;
    for (const auto& [parameter, numbers] : wanted_.at("gradients").members())
      largest = std::max(largest, numbers.at("norm").number());
    EXPECT_EQ(wanted_.at("gradients").members().size(), options_.trainable.size());
    for (const auto& [parameter, numbers] : wanted_.at("gradients").members()) {
      const std::vector<double> before = to_doubles(case_.model.parameters.at(parameter));
      std::vector<double> values = to_doubles(state.get("param." + parameter));
      for (size_t i = 0; i < values.size(); ++i) values[i] = (before[i] - values[i]) / kFar;
      // A bias before a norm has no gradient but rounding.
      const bool none = numbers.at("norm").number() < 1e-9 * largest;
      expect_near(values, numbers, case_.tolerance, none ? 0.1 * largest : 0, "gradient of " + parameter);
    }
  }

  void check_steps() {
    const Json::Array& losses = wanted_.at("losses").items();
    ASSERT_EQ(losses.size(), 20u);
    DeviceState state(open_device("cpu"));
    run(state, options_, case_.lr, 20, [&](int64_t step, double loss) {
      const double wanted = losses[static_cast<size_t>(step)].number();
      EXPECT_NEAR(loss, wanted, case_.tolerance * wanted) << "step " << step;
    });
    EXPECT_LT(losses.back().number(), 0.8 * losses.front().number());
    EXPECT_EQ(wanted_.at("parameters").members().size(), case_.model.parameters.size());
    for (const auto& [parameter, numbers] : wanted_.at("parameters").members())
      expect_near(to_doubles(state.get("param." + parameter)), numbers, case_.tolerance, 1e-3, parameter);
  }

  // Neither the team nor the run shows in a bit.
  void check_bits() {
    const auto trained = [&](int threads) {
      DeviceState state(open_device("cpu"));
      run(state, options_, case_.lr, 3, [](int64_t, double) {}, {.threads = threads});
      std::map<std::string, std::vector<double>> values;
      for (const std::string& name : options_.trainable)
        values[name] = to_doubles(state.get("param." + name));
      return values;
    };
    const auto alone = trained(1), both = trained(2), again = trained(2);
    for (const std::string& name : options_.trainable) {
      EXPECT_EQ(alone.at(name), both.at(name)) << name;
      EXPECT_EQ(again.at(name), both.at(name)) << name;
    }
  }

 private:
  template <class EachLoss>
  void run(DeviceState& state, const StepOptions& options, double lr, int64_t count, const EachLoss& each,
           const CompileOptions& compile = {}) {
    const Graph graph = with_batch(case_.model, case_.rows);
    const Port& input = graph.inputs[static_cast<size_t>(data_inputs(case_.model).front())];
    const Type& output = graph.type(graph.outputs.front().value);
    const Targets targets(formula_labels(case_.rows, output.shape.size(1)), options.loss, output);
    set_initial_state(state, case_.model, options, 0);
    StepPrograms steps(state, case_.model, options, targets, {}, compile);
    FormulaBatches batches(graph.type(input.value), input.name, integer_values(graph, input.value));
    for (int64_t step = 0; step < count; ++step) {
      steps.run(batches, batches.next(), StepOptions::whole, lr, step + 1);
      const StepPrograms::Sums sums = steps.take_sums();
      each(step, sums.loss / sums.weight);
    }
  }

  Case case_;
  Json wanted_;
  StepOptions options_;
};

void compare(Case c) {
  Comparison comparison(std::move(c));
  comparison.check_gradients();
  comparison.check_steps();
}

TEST(Torch, Mlp) { compare({"mlp", nn::build_model("mlp:64-32-10", 0), 16, {.kind = "adam"}, 3e-3, 1e-4}); }

TEST(Torch, CnnWithBatchNorm) {
  compare({"cnn",
           small_cnn(),
           8,
           {.kind = "sgd", .momentum = 0.9, .nesterov = true, .weight_decay = 1e-3},
           0.1,
           1e-4});
}

Case bert() {
  return {"bert", of_tokens(nn::build_model("bert:2-64-4", 0), 16),
          8,      {.kind = "adamw", .weight_decay = 0.01, .epsilon = 1e-5},
          1e-3,   1e-4};
}

TEST(Torch, Bert) { compare(bert()); }

TEST(Bert, TrainsToTheSameBitsForOneAndTwoThreads) { Comparison(bert()).check_bits(); }

TEST(Bert, StepOnlyComputes) {
  register_device(cpu::cpu_device());
  StepBench step(open_device("cpu"), nn::build_model("bert:2-64-4", 0),
                 {.batch = 2, .sequence = 16, .optimizer = "adamw"}, {});
  step.context().set_profiling(true);
  step.run();
  int products = 0;
  for (const LaunchProfile& launch : step.context().profile()) {
    EXPECT_NE(launch.kind, "reorder") << launch.name;
    EXPECT_NE(launch.kind, "copy") << launch.name;
    EXPECT_NE(launch.kind, "transpose") << launch.name;
    products += launch.kind.starts_with("dot_general");
  }
  // Three for each dense layer, two of them 8 wide: with their gradients six for each attention.
  EXPECT_EQ(products, 2 * (6 * 3 + 2 * 3) + 2 * 3);
}

TEST(Torch, MobileNetV2) {
  const Model model = without_dropout(for_small_pictures(nn::build_model("mobilenet_v2", 0)));
  compare({"mobilenet_v2", model, 8, {.kind = "sgd"}, 2e-3, 1e-3});
}

TEST(Torch, ResNet18) {
  if (TEST_SANITIZED)
    GTEST_SKIP() << "skipped, because it takes a minute under a sanitizer; MobileNetV2 has its ops";
  const Model model = for_small_pictures(nn::build_model("resnet18", 0));
  compare({"resnet18", model, 8, {.kind = "sgd", .momentum = 0.5, .weight_decay = 1e-4}, 2e-3, 1e-3});
}

}  // namespace
}  // namespace temper
