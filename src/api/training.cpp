#include "temper/training.h"

#include <algorithm>
#include <limits>
#include <map>

#include "api/devices.h"
#include "api/network_access.h"
#include "base/text.h"
#include "base/threads.h"
#include "nn/optimizers.h"
#include "runtime/registry.h"
#include "temper/error.h"
#include "train/recipe.h"
#include "train/result.h"
#include "train/session.h"
#include "train/step.h"
#include "train/trainable.h"
#include "train/trainer.h"

namespace temper {

struct Training::Body {
  NetworkAccess::Body& network;
  StepOptions options;
  CompileOptions compile;
  DeviceState state;
  std::map<int64_t, std::unique_ptr<BoundProgram>> programs;  // by batch size
  double lr = 0;
  int64_t steps = 0;

  BoundProgram& program(int64_t batch);
};

static const std::string& only_input(const Model& model) {
  const std::vector<int> inputs = data_inputs(model);
  if (inputs.size() != 1)
    throw Error(ErrorKind::unsupported,
                concat("training by steps wants one data input, the network has ", inputs.size()));
  return model.graph.inputs[static_cast<size_t>(inputs[0])].name;
}

// Every input of the step that is state: parameters by name, the rest zero but the key and what starts
// infinite.
static Tensor first_value(const Model& model, const Argument& input, uint64_t seed) {
  if (input.name.starts_with("param.")) return model.parameters.at(input.name.substr(6));
  if (input.name == "key") {
    const std::vector<uint32_t> key = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
    return Tensor::from<uint32_t>({2}, key);
  }
  if (input.name == "stat.bad_step") return Tensor::scalar(std::numeric_limits<float>::infinity());
  return Tensor(input.type);
}

Training::Training(Network& network, const TrainingOptions& options) {
  register_devices();
  NetworkAccess::Body& body = NetworkAccess::body(network);
  only_input(body.model);
  StepOptions step;
  step.trainable = trainable_parameters(body.model, options.trainable, "", body.head);
  step.loss.kind = options.loss;
  step.optimizer = {
      .kind = options.optimizer, .momentum = options.momentum, .weight_decay = options.weight_decay};
  const CompileOptions compile{.threads = options.threads > 0 ? options.threads : available_threads()};
  body_ = std::make_unique<Body>(
      Body{body, step, compile, DeviceState(open_device(options.device)), {}, options.lr});
  Recipe checked;  // the same words and ranges as on the command line
  checked.model = checked.data = "none";
  set(checked, "loss", options.loss);
  set(checked, "optimizer", options.optimizer);
  check(checked);
  StepOptions one = step;
  one.batch = 1;
  const Graph graph = build_step(body.model, one);
  const std::vector<std::string> state = state_names(graph);
  for (const Port& port : graph.inputs) {
    const bool parameter = port.name.starts_with("param.");
    if (!parameter && std::find(state.begin(), state.end(), port.name) == state.end()) continue;
    body_->state.set(port.name, first_value(body.model, {port.name, graph.type(port.value)}, options.seed));
  }
}

Training::~Training() = default;

BoundProgram& Training::Body::program(int64_t batch) {
  std::unique_ptr<BoundProgram>& program = programs[batch];
  if (!program) {
    StepOptions with = options;
    with.batch = batch;
    program = std::make_unique<BoundProgram>(state, build_step(network.model, with), compile);
  }
  return *program;
}

double Training::step(const Tensor& inputs, const Tensor& labels) {
  if (inputs.empty() || inputs.shape().rank() < 1 || inputs.shape().size(0) < 1)
    throw Error(ErrorKind::invalid, "a step wants at least one sample");
  const int64_t batch = inputs.shape().size(0);
  BoundProgram& program = body_->program(batch);
  program.fill(concat("input.", only_input(body_->network.model)), inputs);
  program.fill("labels", labels);
  program.fill("weights",
               from_doubles({DType::f32, {batch}}, std::vector<double>(static_cast<size_t>(batch), 1)));
  program.fill("hyper.step", static_cast<float>(++body_->steps));
  for (const auto& [name, value] : nn::optimizer_hyper(body_->options.optimizer, body_->lr, body_->steps))
    program.fill(concat("hyper.", name), static_cast<float>(value));
  const auto sum = [&](const char* name) { return to_doubles(body_->state.get(name))[0]; };
  const double loss = sum("stat.loss"), weight = sum("stat.weight");
  program.run();
  return (sum("stat.loss") - loss) / (sum("stat.weight") - weight);
}

void Training::set_learning_rate(double lr) { body_->lr = lr; }

void Training::finish() {
  for (const std::string& name : body_->state.names()) {
    if (name.starts_with("param.")) body_->network.model.parameters[name.substr(6)] = body_->state.get(name);
  }
  body_->network.inferences.clear();
}

namespace {

class Lines : public TrainEvents {
 public:
  explicit Lines(const std::function<void(std::string_view)>& line) : line_(line) {}
  void note(std::string_view text) override { say(text); }
  void warning(std::string_view text) override { say(concat("warning: ", text)); }
  void epoch(const EpochReport& report) override {
    say(concat("epoch ", report.epoch, "/", report.epochs, "  loss ", report.train_loss, "  accuracy ",
               report.train_accuracy,
               report.validated
                   ? concat("  val loss ", report.val_loss, "  val accuracy ", report.val_accuracy)
                   : ""));
  }

 private:
  void say(std::string_view text) {
    if (line_) line_(text);
  }
  const std::function<void(std::string_view)>& line_;
};

}  // namespace

std::string tune(const std::map<std::string, std::string>& options,
                 const std::function<void(std::string_view)>& line) {
  register_devices();
  Recipe recipe;
  for (const auto& [name, value] : options) set(recipe, name, value);
  check(recipe);
  Lines events(line);
  return to_json(train(recipe, events));
}

}  // namespace temper
