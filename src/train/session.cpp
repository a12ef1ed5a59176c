#include "train/session.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/compile.h"

namespace temper {

void DeviceState::set(const std::string& name, const Tensor& host) { tensors_[name] = host; }

Tensor DeviceState::get(const std::string& name) const {
  const Tensor& tensor = tensors_.at(name);
  TEMPER_CHECK(!tensor.empty(), "state ", name, " is lost");
  return tensor.on_host() ? tensor.clone() : download(device_, tensor);
}

std::vector<std::string> DeviceState::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

BoundProgram::BoundProgram(DeviceState& state, const Graph& graph, const CompileOptions& options)
    : BoundProgram(state, compile(state.device(), graph, options)) {}

BoundProgram::BoundProgram(DeviceState& state, std::shared_ptr<const Program> program)
    : BoundProgram(state, state.device().load(std::move(program))) {}

BoundProgram::BoundProgram(DeviceState& state, std::unique_ptr<Executable> executable)
    : state_(state), executable_(std::move(executable)), scalar_(Type{DType::f32, {}}) {
  context_ = executable_->make_context(state.arena_);
  const Program& program = executable_->program();
  donations_ = program.donations;
  donated_.resize(program.inputs.size());
  for (const Donation& pair : donations_) donated_[static_cast<size_t>(pair.input)] = true;
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const Argument& argument = program.inputs[i];
    const auto found = state.tensors_.find(argument.name);
    shared_.push_back(found == state.tensors_.end() ? nullptr : &found->second);
    TEMPER_CHECK(shared_[i] || !donated_[i], "no state ", argument.name);
    arguments_.push_back(shared_[i] ? Tensor() : state.device().allocate(argument.type, argument.layout));
  }
  results_.resize(program.outputs.size());
  std::vector<bool> given(results_.size());
  for (const Donation& pair : donations_) given[static_cast<size_t>(pair.output)] = true;
  for (size_t i = 0; i < results_.size(); ++i) {
    if (!given[i]) results_[i] = state.device().allocate(program.outputs[i].type, program.outputs[i].layout);
  }
}

bool BoundProgram::has(std::string_view name) const {
  const auto& inputs = program().inputs;
  const auto found = std::ranges::find(inputs, name, &Argument::name);
  return found != inputs.end() && !shared_[static_cast<size_t>(found - inputs.begin())];
}

Tensor& BoundProgram::input(std::string_view name) {
  const auto& inputs = program().inputs;
  const auto found = std::ranges::find(inputs, name, &Argument::name);
  TEMPER_CHECK(found != inputs.end(), "the program has no input ", name);
  return arguments_[static_cast<size_t>(found - inputs.begin())];
}

const Tensor& BoundProgram::output(std::string_view name) {
  const auto& outputs = program().outputs;
  const auto found = std::ranges::find(outputs, name, &Argument::name);
  TEMPER_CHECK(found != outputs.end(), "the program has no output ", name);
  return results_[static_cast<size_t>(found - outputs.begin())];
}

Tensor BoundProgram::host_output(std::string_view name) {
  const Tensor& tensor = output(name);
  const bool readable = tensor.storage()->data && tensor.storage()->layout == 0;
  return readable ? tensor : download(state_.device(), tensor);
}

void BoundProgram::fill(std::string_view name, const Tensor& host) {
  state_.device().copy(host, input(name));
}

void BoundProgram::fill(std::string_view name, float scalar) {
  scalar_.mutable_values<float>()[0] = scalar;
  fill(name, scalar_);
}

// The state's tensor as this program's argument, in its layout.
void BoundProgram::bind(size_t i) {
  const Argument& wanted = program().inputs[i];
  Tensor& shared = *shared_[i];
  TEMPER_CHECK(!shared.empty(), "state ", wanted.name, " is lost");
  TEMPER_CHECK(shared.type() == wanted.type, "state ", wanted.name, " is ", to_string(shared.type()),
               ", wanted ", to_string(wanted.type));
  if (shared.on_host() || shared.storage()->layout != wanted.layout) {
    Tensor fresh = state_.device().allocate(wanted.type, wanted.layout);
    state_.device().copy(shared, fresh);
    shared = std::move(fresh);
  }
  if (donated_[i]) {
    arguments_[i] = std::exchange(shared, Tensor());
  } else if (arguments_[i].storage() != shared.storage()) {
    arguments_[i] = shared;
  }
}

void BoundProgram::run() {
  for (size_t i = 0; i < arguments_.size(); ++i) {
    if (shared_[i]) bind(i);
  }
  executable_->run(*context_, arguments_, results_);
  for (const Donation& pair : donations_) {
    *shared_[static_cast<size_t>(pair.input)] =
        std::exchange(results_[static_cast<size_t>(pair.output)], Tensor());
  }
}

}  // namespace temper
