#include "train/bench_step.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "base/text.h"
#include "passes/passes.h"
#include "runtime/compile.h"
#include "target/cost.h"
#include "train/programs.h"
#include "train/step.h"

namespace temper {
namespace {

StepOptions step_options(const Model& model, const BenchStep& options) {
  StepOptions step;
  step.batch = options.batch;
  step.replicas = options.replicas;
  step.precision = options.precision;
  const std::vector<std::string> statistics = running_statistics(model);
  for (const auto& [name, tensor] : model.parameters) {
    const bool fixed = std::find(statistics.begin(), statistics.end(), name) != statistics.end();
    if (!fixed && is_float(tensor.dtype())) step.trainable.insert(name);
  }
  step.optimizer.kind = options.optimizer;
  step.optimizer.momentum = options.optimizer == "sgd" ? 0.9 : 0;
  step.optimizer.weight_decay = options.optimizer == "adamw" ? 0.01 : 0;
  step.clip_norm = options.clip_norm;
  step.ema = options.ema;
  return step;
}

// A free sequence made `options.sequence` long.
Model with_sequence(const Model& model, const BenchStep& options) {
  std::vector<Port> inputs;
  for (const int at : data_inputs(model)) inputs.push_back(model.graph.inputs[static_cast<size_t>(at)]);
  Model fixed = model;
  fixed.graph = specialise(
      model.graph, data_sizes(model.graph, inputs, options.batch / options.replicas, options.sequence));
  return fixed;
}

double learning_rate(const BenchStep& options) {
  if (options.lr > 0) return options.lr;
  return options.optimizer == "sgd" ? 1e-2 : 1e-3;
}

// Uniform numbers in [-1, 1); integers below `values`.
Tensor random_tensor(const Type& type, uint64_t seed, int64_t values) {
  const auto count = static_cast<size_t>(type.shape.elements());
  std::vector<double> reals(count);
  std::vector<int64_t> integers(count);
  uint64_t state = seed * 2 + 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double unit = static_cast<double>(state >> 11) * 0x1p-53;
    reals[i] = 2 * unit - 1;
    integers[i] = static_cast<int64_t>(unit * static_cast<double>(values));
  }
  return is_float(type.dtype) ? from_doubles(type, reals) : from_int64s(type, integers);
}

}  // namespace

struct StepBench::State {
  Device& device;
  Graph graph;
  std::unique_ptr<Executable> executable;
  std::unique_ptr<Context> context;
  std::vector<Tensor> arguments, results;
  std::optional<size_t> loss_input, weight_input;
  Tensor zero = Tensor::scalar(0.0f);  // what the sums begin with
  double lr = 0, loss_first = 0;
  nn::Optimizer optimizer;
  int64_t steps = 0, parameters = 0;
};

Graph bench_step_graph(const Model& model, const BenchStep& options) {
  const StepOptions step = step_options(model, options);
  return options.update_only ? build_update(model, step) : build_step(with_sequence(model, options), step);
}

// None: it begins with zeros.
static std::optional<Tensor> first_value(const Model& model, const Argument& input, const BenchStep& options,
                                         const nn::Hyper& hyper, int64_t classes) {
  const std::string_view name = input.name;
  if (name.starts_with("param.")) return model.parameters.at(std::string(name.substr(6)));
  if (name.starts_with("ema.")) return model.parameters.at(std::string(name.substr(4)));
  if (name.starts_with("gradient.")) return random_tensor(input.type, options.seed + name.size(), 0);
  if (name == "labels") return random_tensor(input.type, options.seed + name.size(), classes);
  if (name.starts_with("input.")) {
    const int64_t values = integer_values(model.graph, model.graph.find_input(name.substr(6)));
    return random_tensor(input.type, options.seed + name.size(), values);
  }
  const auto count = static_cast<size_t>(input.type.shape.elements());
  if (name == "replica") {
    std::vector<int64_t> numbers(count);
    std::iota(numbers.begin(), numbers.end(), int64_t{0});
    return from_int64s(input.type, numbers);
  }
  if (name == "weights") return from_doubles(input.type, std::vector<double>(count, 1));
  for (const auto& [key, value] : hyper) {
    if (name == concat("hyper.", key)) return from_doubles(input.type, {&value, 1});
  }
  const double one = 1;
  if (name == "hyper.step") return from_doubles(input.type, {&one, 1});
  return std::nullopt;
}

StepBench::StepBench(Device& device, const Model& model, const BenchStep& wanted,
                     const CompileOptions& compile_options)
    : state_(std::make_unique<State>(State{.device = device})) {
  BenchStep options = wanted;
  options.replicas = options.update_only ? 1 : replicas_for(device, options.batch);
  const StepOptions step = step_options(model, options);
  State& s = *state_;
  s.graph = bench_step_graph(model, options);
  s.lr = learning_rate(options);
  s.optimizer = step.optimizer;
  CompileOptions shared = compile_options;
  share_out(s.graph, options.replicas, shared);
  s.executable = compile(device, s.graph, shared);
  s.context = s.executable->make_context();
  const Shape& scores = model.graph.type(model.graph.outputs.front().value).shape;
  const int64_t classes = scores.size(scores.rank() - 1);
  const nn::Hyper hyper = nn::optimizer_hyper(s.optimizer, s.lr, 1);
  const Program& program = s.executable->program();
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const Argument& input = program.inputs[i];
    const std::optional<Tensor> value = first_value(model, input, options, hyper, classes);
    s.arguments.push_back(value ? upload(device, *value, input) : device.allocate(input.type, input.layout));
    if (input.name == "stat.loss") s.loss_input = i;
    if (input.name == "stat.weight") s.weight_input = i;
  }
  for (const std::string& name : step.trainable) s.parameters += model.parameters.at(name).elements();
  s.results.resize(program.outputs.size());
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    const auto donated = [&](const Donation& pair) { return pair.output == static_cast<int>(i); };
    if (std::none_of(program.donations.begin(), program.donations.end(), donated))
      s.results[i] = device.allocate(program.outputs[i].type, program.outputs[i].layout);
  }
}

StepBench::~StepBench() = default;

void StepBench::run() {
  State& s = *state_;
  // The sums start anew with each step, so that they hold the loss of one.
  for (const auto& sum : {s.loss_input, s.weight_input})
    if (sum) s.device.copy(s.zero, s.arguments[*sum]);
  s.executable->run(*s.context, s.arguments, s.results);
  for (const Donation& pair : s.executable->program().donations)
    s.arguments[static_cast<size_t>(pair.input)] = std::move(s.results[static_cast<size_t>(pair.output)]);
  if (++s.steps == 1) s.loss_first = loss_last();
}

double StepBench::loss_last() {
  State& s = *state_;
  if (!s.loss_input || !s.weight_input) return 0;
  const double sum = to_doubles(download(s.device, s.arguments[*s.loss_input]))[0];
  const double weight = to_doubles(download(s.device, s.arguments[*s.weight_input]))[0];
  return weight > 0 ? sum / weight : 0;
}

int64_t StepBench::flops() const {
  return temper::flops(state_->graph) * state_->executable->program().options.replicas;
}
int64_t StepBench::steps() const { return state_->steps; }
int64_t StepBench::parameters() const { return state_->parameters; }
double StepBench::loss_first() const { return state_->loss_first; }
const Executable& StepBench::executable() const { return *state_->executable; }
Context& StepBench::context() { return *state_->context; }

}  // namespace temper
