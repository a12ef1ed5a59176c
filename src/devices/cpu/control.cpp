#include "devices/cpu/control.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "devices/cpu/plan.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

Signature row_major_signature(const Graph& graph) {
  Signature result;
  for (const Port& input : graph.inputs) result.inputs.push_back({input.name, graph.type(input.value)});
  for (const Port& output : graph.outputs) result.outputs.push_back({output.name, graph.type(output.value)});
  return result;
}

// A region with the addresses of one run.
struct Body {
  explicit Body(const Plan& plan, size_t arguments, size_t results)
      : state(plan), arguments(arguments), results(results) {}
  void run(std::byte* arena) { state.run(arguments.data(), results.data(), arena); }

  PlanState state;
  std::vector<void*> arguments, results;
};

struct ControlState : KernelState {
  std::vector<std::unique_ptr<Body>> bodies;
};

// What the three share: plans of the regions, and where operands, results and spare memory lie.
class ControlKernel : public Kernel {
 public:
  ControlKernel(const KernelRequest& request, const CompileOptions& options)
      : node_(request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])]),
        scratch_slot_(request.inputs.size() + request.outputs.size()) {
    for (const Graph& region : node_.regions) {
      plans_.push_back(make_plan(region, row_major_signature(region), options));
      arena_bytes_ = std::max(arena_bytes_, plans_.back().arena_bytes);
    }
    take(arena_bytes_);
    for (const Value input : node_.inputs) {
      const auto found = std::find(request.inputs.begin(), request.inputs.end(), input);
      operands_.push_back(static_cast<size_t>(found - request.inputs.begin()));
      operand_bytes_.push_back(byte_size(request.graph.type(input)));
    }
    for (size_t i = 0; i < node_.outputs.size(); ++i) {
      const Value output{request.cluster.nodes[0], static_cast<int32_t>(i)};
      const auto found = std::find(request.outputs.begin(), request.outputs.end(), output);
      // A result that nobody reads still needs memory.
      const bool read = found != request.outputs.end();
      results_.push_back(
          read ? Place{request.inputs.size() + static_cast<size_t>(found - request.outputs.begin()), 0}
               : spare(byte_size(node_.outputs[i])));
    }
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }

  std::unique_ptr<KernelState> make_state() const override {
    auto state = std::make_unique<ControlState>();
    for (size_t i = 0; i < plans_.size(); ++i)
      state->bodies.push_back(
          std::make_unique<Body>(plans_[i], node_.regions[i].inputs.size(), node_.regions[i].outputs.size()));
    return state;
  }

 protected:
  struct Place {
    size_t slot;
    int64_t offset;
  };

  Place spare(int64_t bytes) { return {scratch_slot_, take(bytes)}; }
  static std::byte* at(void* const* buffers, const Place& place) {
    return static_cast<std::byte*>(buffers[place.slot]) + place.offset;
  }
  std::byte* operand(void* const* buffers, size_t i) const {
    return static_cast<std::byte*>(buffers[operands_[i]]);
  }
  std::byte* result(void* const* buffers, size_t i) const { return at(buffers, results_[i]); }
  std::byte* arena(void* const* buffers) const {
    return arena_bytes_ > 0 ? at(buffers, {scratch_slot_, 0}) : nullptr;
  }

  const Node node_;
  std::vector<int64_t> operand_bytes_;

 private:
  int64_t take(int64_t bytes) {
    const int64_t offset = scratch_bytes_;
    scratch_bytes_ += (bytes + 63) / 64 * 64;
    return offset;
  }

  size_t scratch_slot_;
  std::vector<Plan> plans_;
  int64_t arena_bytes_ = 0, scratch_bytes_ = 0;
  std::vector<size_t> operands_;  // slots
  std::vector<Place> results_;
};

class CondKernel : public ControlKernel {
 public:
  using ControlKernel::ControlKernel;
  void run(void* const* buffers, KernelState* state) const override {
    const bool holds = *operand(buffers, 0) != std::byte{0};
    Body& body = *static_cast<ControlState*>(state)->bodies[holds ? 0 : 1];
    for (size_t i = 0; i < body.arguments.size(); ++i) body.arguments[i] = operand(buffers, i + 1);
    for (size_t i = 0; i < body.results.size(); ++i) body.results[i] = result(buffers, i);
    body.run(arena(buffers));
  }
};

// Carries are written in turn to the result and to a second buffer, so that the last step writes the result.
class ScanKernel : public ControlKernel {
 public:
  ScanKernel(const KernelRequest& request, const CompileOptions& options)
      : ControlKernel(request, options),
        length_(node_.attributes.get<int64_t>("length")),
        reverse_(node_.attributes.get<bool>("reverse")),
        carries_(static_cast<size_t>(node_.attributes.get<int64_t>("carries"))),
        xs_(static_cast<size_t>(node_.attributes.get<int64_t>("xs"))) {
    for (size_t i = 0; i < carries_; ++i) second_.push_back(spare(operand_bytes_[i]));
  }

  void run(void* const* buffers, KernelState* state) const override {
    Body& body = *static_cast<ControlState*>(state)->bodies[0];
    for (size_t i = 0; i < body.arguments.size(); ++i) body.arguments[i] = operand(buffers, i);
    for (int64_t step = 0; step < length_; ++step) {
      const int64_t index = reverse_ ? length_ - 1 - step : step;
      const bool to_result = (length_ - 1 - step) % 2 == 0;
      for (size_t i = 0; i < carries_; ++i)
        body.results[i] = to_result ? result(buffers, i) : at(buffers, second_[i]);
      for (size_t i = carries_; i < carries_ + xs_; ++i)
        body.arguments[i] = operand(buffers, i) + index * (operand_bytes_[i] / length_);
      for (size_t i = carries_; i < body.results.size(); ++i)
        body.results[i] = result(buffers, i) + index * (byte_size(node_.outputs[i]) / length_);
      body.run(arena(buffers));
      for (size_t i = 0; i < carries_; ++i) body.arguments[i] = body.results[i];
    }
    if (length_ > 0) return;
    for (size_t i = 0; i < carries_; ++i)
      std::memcpy(result(buffers, i), operand(buffers, i), static_cast<size_t>(operand_bytes_[i]));
  }

 private:
  int64_t length_;
  bool reverse_;
  size_t carries_, xs_;
  std::vector<Place> second_;
};

class WhileKernel : public ControlKernel {
 public:
  WhileKernel(const KernelRequest& request, const CompileOptions& options)
      : ControlKernel(request, options),
        carries_(static_cast<size_t>(node_.attributes.get<int64_t>("carries"))),
        verdict_(spare(1)) {
    for (size_t i = 0; i < carries_; ++i) second_.push_back(spare(operand_bytes_[i]));
  }

  void run(void* const* buffers, KernelState* state) const override {
    Body& condition = *static_cast<ControlState*>(state)->bodies[0];
    Body& body = *static_cast<ControlState*>(state)->bodies[1];
    for (size_t i = 0; i < condition.arguments.size(); ++i)
      condition.arguments[i] = body.arguments[i] = operand(buffers, i);
    condition.results[0] = at(buffers, verdict_);
    for (bool to_result = true;; to_result = !to_result) {
      condition.run(arena(buffers));
      if (*at(buffers, verdict_) == std::byte{0}) break;
      for (size_t i = 0; i < carries_; ++i)
        body.results[i] = to_result ? result(buffers, i) : at(buffers, second_[i]);
      body.run(arena(buffers));
      for (size_t i = 0; i < carries_; ++i) condition.arguments[i] = body.arguments[i] = body.results[i];
    }
    for (size_t i = 0; i < carries_; ++i)
      if (body.arguments[i] != result(buffers, i))
        std::memcpy(result(buffers, i), body.arguments[i], static_cast<size_t>(operand_bytes_[i]));
  }

 private:
  size_t carries_;
  Place verdict_;
  std::vector<Place> second_;
};

}  // namespace

bool is_control(const Node& node) { return !node.regions.empty(); }

Claim claim_control(const Graph& graph, const Node& node) {
  for (const Value input : node.inputs)
    if (is_packed(graph.type(input).dtype))
      return {Claim::refuse, concat("no regions over ", to_string(graph.type(input).dtype))};
  return {Claim::kernel, node.op->name == "call" ? "its body" : "a loop over its body's launches"};
}

std::unique_ptr<Kernel> make_control(const KernelRequest& request, const CompileOptions& options) {
  const std::string_view name = request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])].op->name;
  if (name == "scan") return std::make_unique<ScanKernel>(request, options);
  if (name == "cond") return std::make_unique<CondKernel>(request, options);
  TEMPER_CHECK(name == "while_loop", name);
  return std::make_unique<WhileKernel>(request, options);
}

}  // namespace temper::cpu
