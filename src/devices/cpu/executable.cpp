#include "devices/cpu/executable.h"

#include "base/check.h"
#include "devices/cpu/onednn.h"

namespace temper::cpu {

namespace {

class CpuContext : public Context {
 public:
  CpuContext(const Plan& plan, size_t arguments, size_t results, std::shared_ptr<Arena> arena)
      : state(plan), arguments(arguments), results(results), arena_(std::move(arena)) {
    Tensor& memory = arena_->memory;
    if (!memory.empty() && memory.bytes() >= plan.arena_bytes) return;
    memory = Tensor();  // first let go of
    memory = Tensor(Type{DType::u8, {plan.arena_bytes}});
  }

  void set_profiling(bool on) override { state.set_profiling(on); }
  std::vector<LaunchProfile> profile() const override { return state.profile(); }
  std::byte* arena() { return static_cast<std::byte*>(arena_->memory.storage()->data); }

  PlanState state;
  std::vector<void*> arguments, results;  // addresses of this run

 private:
  std::shared_ptr<Arena> arena_;
};

class CpuExecutable : public Executable {
 public:
  CpuExecutable(Device& device, std::shared_ptr<const Program> program)
      : device_(device),
        program_(std::move(program)),
        plan_(make_plan(program_->graph, {program_->inputs, program_->outputs}, program_->options)) {}

  const Program& program() const override { return *program_; }
  std::unique_ptr<Context> make_context(std::shared_ptr<Arena> arena) const override {
    return std::make_unique<CpuContext>(plan_, program_->inputs.size(), program_->outputs.size(),
                                        std::move(arena));
  }
  std::vector<LaunchProfile> launches() const override { return launches_of(plan_); }

  void run(Context& context, std::span<Tensor> arguments, std::span<Tensor> results) const override {
    auto& own = static_cast<CpuContext&>(context);
    TEMPER_CHECK(arguments.size() == program_->inputs.size() && results.size() == program_->outputs.size(),
                 "got ", arguments.size(), " arguments and ", results.size(), " results");
    for (size_t i = 0; i < arguments.size(); ++i) {
      check(arguments[i], program_->inputs[i]);
      own.arguments[i] = arguments[i].storage()->data;
    }
    for (const Donation& donation : program_->donations)
      results[static_cast<size_t>(donation.output)] =
          std::exchange(arguments[static_cast<size_t>(donation.input)], Tensor());
    for (size_t i = 0; i < results.size(); ++i) {
      const Argument& output = program_->outputs[i];
      if (results[i].empty()) results[i] = device_.allocate(output.type, output.layout);
      check(results[i], output);
      own.results[i] = results[i].mutable_data();
    }
    const TeamSize team(program_->options.threads);
    own.state.run(own.arguments.data(), own.results.data(), own.arena());
  }

 private:
  // Tensors of the host may be passed as they are: the device's memory is theirs.
  void check(const Tensor& tensor, const Argument& like) const {
    TEMPER_CHECK(!tensor.empty(), "`", like.name, "` is empty");
    TEMPER_CHECK(tensor.type() == like.type, "`", like.name, "`");
    const Storage& storage = *tensor.storage();
    TEMPER_CHECK(!storage.device || storage.device == &device_, "`", like.name, "` lives on another device");
    TEMPER_CHECK(storage.layout == like.layout || same_memory(like.type.shape, storage.layout, like.layout),
                 "`", like.name, "` lies in another layout");
  }

  Device& device_;
  std::shared_ptr<const Program> program_;
  Plan plan_;
};

}  // namespace

std::unique_ptr<Executable> make_executable(Device& device, std::shared_ptr<const Program> program) {
  return std::make_unique<CpuExecutable>(device, std::move(program));
}

}  // namespace temper::cpu
