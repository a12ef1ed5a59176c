#include "launches/executable.h"

#include <algorithm>

#include "base/check.h"
#include "ir/op.h"
#include "launches/run.h"

namespace temper::launches {

namespace {

class LaunchContext : public Context {
 public:
  LaunchContext(const Machine& machine, const BuiltKernels* built, const KernelTable& kernels,
                const Plan& plan, const PlanConstants& constants, std::shared_ptr<Arena> arena)
      : state(machine, built, kernels, plan, constants),
        arena(std::move(arena)),
        recording_(is_decided_late(plan) ? nullptr : machine.make_recording()) {}

  void set_profiling(bool on) override { state.set_profiling(on); }
  std::vector<LaunchProfile> profile() const override { return state.profile(); }

  // The first `arguments` of the places are the arguments', the next the results', the last is the arena's.
  void run(size_t arguments) {
    const std::span<const Place> all(places);
    const auto put = [&] {
      state.run(all.first(arguments), all.subspan(arguments, all.size() - arguments - 1), all.back());
    };
    if (recording_ && !state.profiling())
      recording_->run(all, put);
    else
      put();
  }

  PlanState state;
  std::shared_ptr<Arena> arena;
  std::vector<Place> places;  // of this run

 private:
  std::unique_ptr<Recording> recording_;
};

// For people: what takes most of the memory, arguments and temporaries alike.
std::string largest_tensors(const Graph& graph) {
  struct Named {
    std::string name;
    const Type* type;
  };
  std::vector<Named> all;
  for (const Port& input : graph.inputs) all.push_back({input.name, &graph.type(input.value)});
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    if (is_leaf(node) || is_alias(node)) continue;
    for (const Type& output : node.outputs)
      all.push_back({node.name.empty() ? std::string(node.op->name) : node.name, &output});
  }
  std::ranges::stable_sort(all, std::greater(), [](const Named& one) { return byte_size(*one.type); });
  all.resize(std::min<size_t>(all.size(), 3));
  std::vector<std::string> texts;
  for (const Named& one : all) texts.push_back(concat(one.name, " ", to_string(*one.type)));
  return join(texts, ", ");
}

class LaunchExecutable : public Executable {
 public:
  LaunchExecutable(Device& device, std::shared_ptr<Machine> machine, const Vendor& vendor,
                   std::shared_ptr<const Program> program)
      : device_(device),
        machine_(std::move(machine)),
        program_(std::move(program)),
        plan_(make_plan(vendor, device.facts().target, program_->graph, kernels_)),
        constants_(*machine_, &device_, plan_) {
    if (kernels_.size() > 0) built_ = machine_->build(kernels_.source(*vendor.dialect));
  }

  const Program& program() const override { return *program_; }
  std::vector<LaunchProfile> launches() const override { return launches_of(plan_); }

  std::unique_ptr<Context> make_context(std::shared_ptr<Arena> arena) const override {
    Tensor& memory = arena->memory;
    if (memory.empty() || memory.bytes() < plan_.arena_bytes) {
      memory = Tensor();  // first let go of
      memory = make_tensor({DType::u8, {plan_.arena_bytes}}, "temporaries");
    }
    return std::make_unique<LaunchContext>(*machine_, built_.get(), kernels_, plan_, constants_,
                                           std::move(arena));
  }

  void run(Context& context, std::span<Tensor> arguments, std::span<Tensor> results) const override {
    auto& own = static_cast<LaunchContext&>(context);
    TEMPER_CHECK(arguments.size() == program_->inputs.size() && results.size() == program_->outputs.size(),
                 "got ", arguments.size(), " arguments and ", results.size(), " results");
    own.places.clear();
    for (size_t i = 0; i < arguments.size(); ++i)
      own.places.push_back(place_of(arguments[i], program_->inputs[i]));
    std::vector<Tensor> given(program_->donations.size());  // what a failed run loses
    for (size_t i = 0; i < given.size(); ++i) {
      given[i] = std::exchange(arguments[static_cast<size_t>(program_->donations[i].input)], Tensor());
      // What another tensor holds, too, stays as it is.
      results[static_cast<size_t>(program_->donations[i].output)] =
          given[i].storage().use_count() > 1 ? Tensor() : given[i];
    }
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].empty()) results[i] = make_tensor(program_->outputs[i].type, program_->outputs[i].name);
      own.places.push_back(place_of(results[i], program_->outputs[i]));
    }
    own.places.push_back(machine_->place_of(own.arena->memory));
    own.run(arguments.size());
    machine_->finish();
  }

 private:
  Tensor make_tensor(const Type& type, std::string_view what) const {
    try {
      return machine_->make_tensor(type, &device_);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::exhausted) throw;
      throw Error(ErrorKind::exhausted,
                  concat(error.what(), " (", what, " of a program whose largest tensors are ",
                         largest_tensors(program_->graph), "): a smaller batch takes less"));
    }
  }

  Place place_of(const Tensor& tensor, const Argument& like) const {
    TEMPER_CHECK(!tensor.empty(), "`", like.name, "` is empty");
    TEMPER_CHECK(tensor.type() == like.type, "`", like.name, "`");
    TEMPER_CHECK(tensor.storage()->device == &device_, "`", like.name, "` lives on another device");
    return machine_->place_of(tensor);
  }

  Device& device_;
  std::shared_ptr<Machine> machine_;
  std::shared_ptr<const Program> program_;
  KernelTable kernels_;
  Plan plan_;
  PlanConstants constants_;
  std::unique_ptr<BuiltKernels> built_;
};

}  // namespace

std::unique_ptr<Executable> make_executable(Device& device, std::shared_ptr<Machine> machine,
                                            const Vendor& vendor, std::shared_ptr<const Program> program) {
  if (program->options.memory_limit > 0 && program->memory.total() > program->options.memory_limit)
    throw MemoryRefused(program->options.memory_limit, program->memory.total(),
                        largest_tensors(program->graph));
  return std::make_unique<LaunchExecutable>(device, std::move(machine), vendor, std::move(program));
}

}  // namespace temper::launches
