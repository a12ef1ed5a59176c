#include "devices/null/null.h"

#include <cstring>

#include "base/check.h"

namespace temper::null {

namespace {

// A real target says `decompose` for a composite it has no kernel for, and `refuse` for what it cannot do at
// all.
Claim claim(const TargetFacts&, const Graph&, const Node&) { return {Claim::kernel, "answers zeros"}; }

Program compile(const TargetFacts& facts, const Graph& graph, const CompileOptions& options) {
  Program program{.target = facts.name, .graph = graph, .donations = graph.donations, .options = options};
  for (const Port& input : graph.inputs) program.inputs.push_back({input.name, graph.type(input.value)});
  for (const Port& output : graph.outputs) program.outputs.push_back({output.name, graph.type(output.value)});
  for (const Argument& input : program.inputs) program.memory.arguments += byte_size(input.type);
  for (const Argument& output : program.outputs) program.memory.outputs += byte_size(output.type);
  for (const Donation& donation : graph.donations)
    program.memory.donated += byte_size(program.outputs[static_cast<size_t>(donation.output)].type);
  program.memory.outputs -= program.memory.donated;  // it lies in the arguments
  return program;
}

class NullExecutable : public Executable {
 public:
  NullExecutable(Device& device, std::shared_ptr<const Program> program)
      : device_(device), program_(std::move(program)) {}

  const Program& program() const override { return *program_; }
  std::unique_ptr<Context> make_context(std::shared_ptr<Arena>) const override {
    return std::make_unique<Context>();
  }

  void run(Context&, std::span<Tensor> arguments, std::span<Tensor> results) const override {
    TEMPER_CHECK(arguments.size() == program_->inputs.size() && results.size() == program_->outputs.size());
    for (const Donation& donation : program_->donations)
      results[static_cast<size_t>(donation.output)] =
          std::exchange(arguments[static_cast<size_t>(donation.input)], Tensor());
    for (size_t i = 0; i < results.size(); ++i) {
      const Argument& output = program_->outputs[i];
      if (results[i].empty()) results[i] = device_.allocate(output.type, output.layout);
      std::memset(results[i].mutable_data(), 0, static_cast<size_t>(results[i].bytes()));
    }
  }

 private:
  Device& device_;
  std::shared_ptr<const Program> program_;
};

class NullDevice : public Device {
 public:
  std::string_view name() const override { return "null"; }
  const Target& target() const override { return null_target(); }
  DeviceFacts facts() override {
    return {.target = {.name = "null"}, .description = "nothing: answers zeros"};
  }

  Tensor allocate(const Type& type, int64_t) override {
    Tensor tensor(type);
    tensor.storage()->device = this;
    return tensor;
  }

  void copy(const Tensor& from, Tensor& to) override {
    TEMPER_CHECK(from.type() == to.type(), "copy from ", to_string(from.type()), " to ",
                 to_string(to.type()));
    std::memcpy(to.mutable_data(), from.data(), static_cast<size_t>(from.bytes()));
  }

  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    return std::make_unique<NullExecutable>(*this, std::move(program));
  }
};

}  // namespace

const Target& null_target() {
  static const Target target{.name = "null", .claim = claim, .compile = compile};
  return target;
}

DeviceKind null_device() {
  return {"null",
          [](std::string_view which) -> std::unique_ptr<Device> {
            device_number("null", which);  // all are alike
            return std::make_unique<NullDevice>();
          },
          &null_target(),
          nullptr,
          nullptr,
          false};
}

}  // namespace temper::null
