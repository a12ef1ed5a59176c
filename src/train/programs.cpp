#include "train/programs.h"

#include <algorithm>
#include <limits>
#include <ranges>

#include "base/philox.h"
#include "base/text.h"
#include "train/memory.h"

namespace temper {
namespace {

constexpr uint64_t kDropoutKey = 0x64726f70;  // apart from the keys of initial weights and of the order
constexpr const char* kSums[] = {"stat.loss", "stat.weight", "stat.correct", "stat.top5", "stat.bad_step"};

Tensor random_key(uint64_t seed) {
  const PhiloxKey key =
      fold_in(PhiloxKey{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}, kDropoutKey);
  return Tensor::from<uint32_t>({2}, key);
}

float number(const DeviceState& state, const std::string& name) { return state.get(name).values<float>()[0]; }

void clear_sums(DeviceState& state) {
  for (const char* name : kSums) state.set(name, Tensor::scalar(0.0f));
  state.set("stat.bad_step", Tensor::scalar(std::numeric_limits<float>::infinity()));
}

std::vector<std::string> all_state_names(const Model& model, StepOptions options) {
  std::vector<std::string> names;
  const auto add = [&](StepOptions::Part part) {
    options.part = part;
    for (std::string& name : state_names(build_step(model, options))) names.push_back(std::move(name));
  };
  if (options.part == StepOptions::whole) {
    add(StepOptions::whole);
  } else {
    add(StepOptions::gather);
    add(StepOptions::finish);
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

}  // namespace

int64_t replicas_for(const Device& device, int64_t batch) {
  return batch % device.replicas() == 0 ? device.replicas() : 1;
}

void share_out(const Graph& graph, int64_t replicas, CompileOptions& compile) {
  compile.replicas = static_cast<int>(replicas);
  if (replicas > 1) compile.shared = shared_names(graph);
}

void set_initial_state(DeviceState& state, const Model& model, const StepOptions& options, uint64_t seed) {
  for (const auto& [name, tensor] : model.parameters) state.set("param." + name, tensor);
  for (const std::string& name : options.trainable) {
    const Tensor& parameter = model.parameters.at(name);
    for (const std::string& slot : nn::optimizer_slots(options.optimizer)) {
      state.set(concat("slot.", name, ".", slot), Tensor(parameter.type()));
    }
    if (options.ema > 0) state.set("ema." + name, parameter);
    if (options.part != StepOptions::whole) state.set("gradient." + name, Tensor(parameter.type()));
  }
  if (options.part != StepOptions::whole) state.set("gradient_weight", Tensor::scalar(0.0f));
  state.set("key", random_key(seed));
  clear_sums(state);
}

struct StepPrograms::Compiled {
  BoundProgram program;
  Tensor labels, weights;  // staging
  std::vector<std::string> hyper;
};

StepPrograms::StepPrograms(DeviceState& state, const Model& model, StepOptions options,
                           const Targets& targets, std::vector<float> sample_weights,
                           const CompileOptions& compile, int64_t memory)
    : state_(state),
      model_(model),
      options_(std::move(options)),
      targets_(targets),
      sample_weights_(std::move(sample_weights)),
      compile_(compile),
      memory_(memory),
      state_names_(all_state_names(model, options_)) {}

StepPrograms::~StepPrograms() = default;

StepPrograms::Compiled& StepPrograms::program(int64_t size, StepOptions::Part part) {
  auto& found = programs_[{size, part}];
  if (found) return *found;
  compile_within(memory_, compile_.memory_limit, size, [&](int64_t batch, int64_t left) {
    StepOptions options = options_;
    options.batch = batch;
    options.part = part;
    options.replicas = replicas_for(state_.device(), batch);
    CompileOptions compile = compile_;
    compile.memory_limit = left;
    const Graph graph = build_step(model_, options);
    share_out(graph, options.replicas, compile);
    found = std::make_unique<Compiled>(Compiled{BoundProgram(state_, graph, compile), {}, {}, {}});
  });
  found->labels = Tensor(found->program.input("labels").type());
  found->weights = Tensor(found->program.input("weights").type());
  if (found->program.has("replica")) {
    Tensor numbers(found->program.input("replica").type());
    std::ranges::copy(std::views::iota(uint64_t{0}, static_cast<uint64_t>(numbers.elements())),
                      numbers.mutable_values<uint64_t>().begin());
    found->program.fill("replica", numbers);
  }
  if (part != StepOptions::gather) {
    for (const auto& [name, value] : nn::optimizer_hyper(options_.optimizer, 0, 1))
      found->hyper.push_back("hyper." + name);
  }
  return *found;
}

const Executable& StepPrograms::prepare(int64_t size, StepOptions::Part part) {
  return program(size, part).program.executable();
}

void StepPrograms::run(Batches& batches, int64_t size, StepOptions::Part part, double lr, int64_t update) {
  static const std::string kLabels = "labels", kWeights = "weights";
  Compiled& c = program(size, part);
  const std::span<const int64_t> samples = batches.indices();
  batches.fill(c.program);
  targets_.gather(samples, c.labels);
  fill_rows(c.program, kLabels, c.labels.data(), 1, c.labels.bytes());
  const auto weights = c.weights.mutable_values<float>();
  for (size_t i = 0; i < samples.size(); ++i) {
    weights[i] = sample_weights_.empty() ? 1 : sample_weights_[static_cast<size_t>(samples[i])];
  }
  fill_rows(c.program, kWeights, c.weights.data(), 1, c.weights.bytes());
  c.program.fill("hyper.step", static_cast<float>(update));
  if (!c.hyper.empty()) {
    const nn::Hyper values = nn::optimizer_hyper(options_.optimizer, lr, update);
    for (size_t i = 0; i < values.size(); ++i)
      c.program.fill(c.hyper[i], static_cast<float>(values[i].second));
  }
  c.program.run();
}

StepPrograms::Sums StepPrograms::look_at_sums() const {
  return {number(state_, kSums[0]), number(state_, kSums[1]), number(state_, kSums[2]),
          number(state_, kSums[3]), number(state_, kSums[4])};
}

StepPrograms::Sums StepPrograms::take_sums() {
  const Sums sums = look_at_sums();
  clear_sums(state_);
  return sums;
}

}  // namespace temper
