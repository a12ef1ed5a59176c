// Twenty steps against PyTorch: tests/golden/train/make.py made the numbers, and holds the same formulas.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "devices/cpu/cpu.h"
#include "ir/builder.h"
#include "nn/layers.h"
#include "nn/models.h"
#include "runtime/registry.h"
#include "support/data.h"
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

Tensor filled(const Type& type, const std::string& name, double scale, double offset) {
  Tensor tensor(type);
  const uint32_t seed = seed_of(name);
  int64_t index = 0;
  for (float& value : tensor.mutable_values<float>())
    value = static_cast<float>(uniform(seed, index++) * scale + offset);
  return tensor;
}

Tensor start_value(const std::string& name, const Type& type) {
  if (name.ends_with("running_mean")) return filled(type, name, 0, 0);
  if (name.ends_with("running_var")) return filled(type, name, 0, 1);
  if (type.shape.rank() < 2) return filled(type, name, 0.1, name.ends_with("bias") ? 0 : 1);
  double inputs = 1;
  for (int axis = 1; axis < type.shape.rank(); ++axis) inputs *= static_cast<double>(type.shape.size(axis));
  return filled(type, name, std::sqrt(6 / inputs), 0);
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
  FormulaBatches(const Type& input, std::string name) : name_("input." + std::move(name)) {
    for (int i = 0; i < kBatches; ++i) inputs_.push_back(filled(input, "input" + std::to_string(i), 1, 0));
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

void expect_parameter(const Tensor& found, const Json& wanted, double tolerance, const std::string& name) {
  const std::vector<double> values = to_doubles(found);
  double norm = 0, largest = 1e-3;
  for (double value : values) norm += value * value, largest = std::max(largest, std::abs(value));
  const double wanted_norm = wanted.at("norm").number();
  EXPECT_NEAR(std::sqrt(norm), wanted_norm, tolerance * std::max(wanted_norm, 1e-2)) << name;
  const size_t at[] = {0, values.size() / 3, values.size() / 2, values.size() - 1};
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(values[at[i]], wanted.at("values").items()[i].number(), tolerance * largest)
        << name << " element " << at[i];
}

void compare(const std::string& name, Model model, int64_t rows, const nn::Optimizer& optimizer, double lr,
             double tolerance) {
  register_device(cpu::cpu_device());
  for (auto& [parameter, tensor] : model.parameters) tensor = start_value(parameter, tensor.type());
  const Graph graph = with_batch(model, rows);
  const Port& input = graph.inputs[static_cast<size_t>(data_inputs(model).front())];
  const Type output = graph.type(graph.outputs.front().value);

  StepOptions options{
      .batch = rows, .trainable = trainable_parameters(model, "all", "", {}), .optimizer = optimizer};
  const Targets targets(formula_labels(rows, output.shape.size(1)), options.loss, output);
  DeviceState state(open_device("cpu"));
  set_initial_state(state, model, options, 0);
  StepPrograms steps(state, model, options, targets, {}, {});
  FormulaBatches batches(graph.type(input.value), input.name);
  const Json wanted = golden(name);
  const Json::Array& losses = wanted.at("losses").items();
  ASSERT_EQ(losses.size(), 20u);
  for (size_t step = 0; step < losses.size(); ++step) {
    steps.run(batches, batches.next(), StepOptions::whole, lr, static_cast<int64_t>(step) + 1);
    const StepPrograms::Sums sums = steps.take_sums();
    EXPECT_NEAR(sums.loss / sums.weight, losses[step].number(), tolerance * losses[step].number())
        << "step " << step;
  }
  EXPECT_LT(losses.back().number(), 0.8 * losses.front().number());
  EXPECT_EQ(wanted.at("parameters").members().size(), model.parameters.size());
  for (const auto& [parameter, numbers] : wanted.at("parameters").members())
    expect_parameter(state.get("param." + parameter), numbers, tolerance, parameter);
}

TEST(Torch, Mlp) { compare("mlp", nn::build_model("mlp:64-32-10", 0), 16, {.kind = "adam"}, 3e-3, 1e-4); }

TEST(Torch, CnnWithBatchNorm) {
  compare("cnn", small_cnn(), 8, {.kind = "sgd", .momentum = 0.9, .nesterov = true, .weight_decay = 1e-3},
          0.1, 1e-4);
}

}  // namespace
}  // namespace temper
