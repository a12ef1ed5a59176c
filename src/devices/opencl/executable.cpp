#include "devices/opencl/executable.h"

#include <algorithm>

#include "base/check.h"
#include "devices/opencl/run.h"
#include "devices/opencl/tensors.h"

namespace temper::opencl {

namespace {

class OpenclContext : public Context {
 public:
  OpenclContext(const Driver& driver, const BuiltProgram* built, const KernelTable& kernels, const Plan& plan,
                const PlanConstants& constants, std::shared_ptr<Arena> arena)
      : state(driver, built, kernels, plan, constants), arena(std::move(arena)) {}

  void set_profiling(bool on) override { state.set_profiling(on); }
  std::vector<LaunchProfile> profile() const override { return state.profile(); }

  PlanState state;
  std::shared_ptr<Arena> arena;
  std::vector<Place> arguments, results;  // of this run
};

class OpenclExecutable : public Executable {
 public:
  OpenclExecutable(Device& device, std::shared_ptr<Driver> driver, std::shared_ptr<const Program> program)
      : device_(device),
        driver_(std::move(driver)),
        program_(std::move(program)),
        plan_(make_plan(device.facts().target, program_->graph, kernels_)),
        constants_(driver_, plan_) {
    if (kernels_.size() > 0) built_ = std::make_unique<BuiltProgram>(driver_, kernels_.source());
  }

  const Program& program() const override { return *program_; }
  std::vector<LaunchProfile> launches() const override { return launches_of(plan_); }

  std::unique_ptr<Context> make_context(std::shared_ptr<Arena> arena) const override {
    Tensor& memory = arena->memory;
    if (memory.empty() || memory.bytes() < plan_.arena_bytes) {
      memory = Tensor();  // first let go of
      memory = make_tensor(driver_, {DType::u8, {plan_.arena_bytes}}, &device_);
    }
    return std::make_unique<OpenclContext>(*driver_, built_.get(), kernels_, plan_, constants_,
                                           std::move(arena));
  }

  void run(Context& context, std::span<Tensor> arguments, std::span<Tensor> results) const override {
    auto& own = static_cast<OpenclContext&>(context);
    TEMPER_CHECK(arguments.size() == program_->inputs.size() && results.size() == program_->outputs.size(),
                 "got ", arguments.size(), " arguments and ", results.size(), " results");
    own.arguments.clear();
    for (size_t i = 0; i < arguments.size(); ++i)
      own.arguments.push_back(place_of(arguments[i], program_->inputs[i]));
    std::vector<Tensor> given(program_->donations.size());  // what a failed run loses
    for (size_t i = 0; i < given.size(); ++i) {
      given[i] = std::exchange(arguments[static_cast<size_t>(program_->donations[i].input)], Tensor());
      // What another tensor holds, too, stays as it is.
      results[static_cast<size_t>(program_->donations[i].output)] =
          given[i].storage().use_count() > 1 ? Tensor() : given[i];
    }
    own.results.clear();
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].empty()) results[i] = make_tensor(driver_, program_->outputs[i].type, &device_);
      own.results.push_back(place_of(results[i], program_->outputs[i]));
    }
    own.state.run(own.arguments, own.results, {memory_of(own.arena->memory).get(), 0});
    driver_->finish();
  }

 private:
  Place place_of(const Tensor& tensor, const Argument& like) const {
    TEMPER_CHECK(!tensor.empty(), "`", like.name, "` is empty");
    TEMPER_CHECK(tensor.type() == like.type, "`", like.name, "`");
    TEMPER_CHECK(tensor.storage()->device == &device_, "`", like.name, "` lives on another device");
    return {memory_of(tensor).get(), 0};
  }

  Device& device_;
  std::shared_ptr<Driver> driver_;
  std::shared_ptr<const Program> program_;
  KernelTable kernels_;
  Plan plan_;
  PlanConstants constants_;
  std::unique_ptr<BuiltProgram> built_;
};

// For people: what takes most of the memory.
std::string largest_arguments(const Program& program) {
  std::vector<Argument> arguments = program.inputs;
  std::ranges::stable_sort(arguments, std::greater(), [](const Argument& a) { return byte_size(a.type); });
  arguments.resize(std::min<size_t>(arguments.size(), 3));
  std::vector<std::string> texts;
  for (const Argument& argument : arguments)
    texts.push_back(concat(argument.name, " ", to_string(argument.type)));
  return join(texts, ", ");
}

}  // namespace

std::unique_ptr<Executable> make_executable(Device& device, std::shared_ptr<Driver> driver,
                                            std::shared_ptr<const Program> program) {
  if (program->options.memory_limit > 0 && program->memory.total() > program->options.memory_limit)
    throw MemoryRefused(program->options.memory_limit, program->memory.total(), largest_arguments(*program));
  return std::make_unique<OpenclExecutable>(device, std::move(driver), std::move(program));
}

}  // namespace temper::opencl
