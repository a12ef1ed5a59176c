#include "devices/cpu/control.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/check.h"
#include "base/threads.h"
#include "devices/cpu/onednn.h"
#include "devices/cpu/parts.h"
#include "devices/cpu/plan.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

// The layouts of the region's inputs and outputs.
Signature signature_of(const Graph& region, std::span<const int64_t> inputs,
                       std::span<const int64_t> outputs) {
  Signature result;
  for (size_t i = 0; i < region.inputs.size(); ++i)
    result.inputs.push_back({region.inputs[i].name, region.type(region.inputs[i].value), inputs[i]});
  for (size_t i = 0; i < region.outputs.size(); ++i)
    result.outputs.push_back({region.outputs[i].name, region.type(region.outputs[i].value), outputs[i]});
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
  std::vector<std::unique_ptr<Body>> bodies;  // one per region; of a scan, one per thread
};

// `rounds` times as much work each.
std::vector<LaunchProfile> repeated(std::vector<LaunchProfile> launches, int64_t rounds) {
  for (LaunchProfile& launch : launches) {
    launch.flops *= rounds;
    launch.bytes *= rounds;
  }
  return launches;
}

// Rounds are shown as what their body does: time of all rounds over the threads that shared them.
struct RoundsState : ControlState {
  explicit RoundsState(int64_t rounds) : rounds(rounds) {}
  void set_profiling(bool on) override {
    for (const auto& body : bodies) body->state.set_profiling(on);
  }
  std::vector<LaunchProfile> profile() const override {
    std::vector<LaunchProfile> sum = bodies[0]->state.profile();
    for (size_t i = 1; i < bodies.size(); ++i) {
      const std::vector<LaunchProfile> more = bodies[i]->state.profile();
      for (size_t k = 0; k < sum.size(); ++k) {
        sum[k].runs += more[k].runs;
        sum[k].seconds += more[k].seconds;
      }
    }
    for (LaunchProfile& launch : sum) {
      launch.runs /= std::max<int64_t>(1, rounds);
      launch.seconds /= static_cast<double>(bodies.size());
    }
    return repeated(std::move(sum), rounds);
  }

  int64_t rounds;
};

struct Counts {
  explicit Counts(const Node& node)
      : carries(static_cast<size_t>(node.attributes.get<int64_t>("carries"))),
        xs(static_cast<size_t>(node.attributes.get_or<int64_t>("xs", 0))),
        length(node.attributes.get_or<int64_t>("length", 0)) {}
  size_t carries, xs;
  int64_t length;
};

// Parts of a batch.
struct Parts {
  explicit Parts(const Node& node)
      : cut(static_cast<size_t>(node.attributes.get<int64_t>("cut"))),
        joined(static_cast<size_t>(node.attributes.get<int64_t>("joined"))),
        count(node.attributes.get<int64_t>("parts")) {}
  size_t cut, joined;
  int64_t count;
};

bool is_parts(const Node& node) { return node.op->name == "in_parts"; }

// How many rounds run at once: one a thread, unless most threads would have none. Then all share each round.
int workers_of(const Node& node, int threads) {
  int64_t rounds = 1;
  if (is_parts(node)) rounds = Parts(node).count;
  if (node.op->name == "scan" && Counts(node).carries == 0) rounds = Counts(node).length;
  if (rounds >= threads) return threads;
  return 2 * rounds > threads ? static_cast<int>(rounds) : 1;
}

// Calls round(index, worker) for each of `rounds`, on as many threads at once.
template <class Round>
void side_by_side(int64_t rounds, int workers, Round&& round) {
  std::atomic<int64_t> next = 0;
  parallel_for_each(workers, [&](int64_t worker) {
    for (int64_t index = next++; index < rounds; index = next++) round(index, static_cast<int>(worker));
  });
}

// What the three share: plans of the regions, and where operands, results and spare memory lie.
class ControlKernel : public Kernel {
 public:
  // The inputs of a region are the operands from `first` on.
  ControlKernel(const KernelRequest& request, const CompileOptions& options, size_t first = 0)
      : node_(request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])]),
        workers_(workers_of(node_, options.threads)),
        scratch_slot_(request.inputs.size() + request.outputs.size()) {
    std::vector<int64_t> layouts, of_results;
    for (const Value input : node_.inputs) {
      const auto found = std::find(request.inputs.begin(), request.inputs.end(), input);
      operands_.push_back(static_cast<size_t>(found - request.inputs.begin()));
      operand_bytes_.push_back(byte_size(request.graph.type(input)));
      layouts.push_back(request.input_layouts[operands_.back()]);
    }
    for (size_t i = 0; i < node_.outputs.size(); ++i) {
      const auto found = std::find(request.outputs.begin(), request.outputs.end(),
                                   Value{request.cluster.nodes[0], static_cast<int32_t>(i)});
      // A result that nobody reads still needs memory.
      const bool read = found != request.outputs.end();
      const auto at = static_cast<size_t>(found - request.outputs.begin());
      of_results.push_back(read ? request.output_layouts[at] : kRowMajor);
      results_.push_back(read ? Place{request.inputs.size() + at, 0} : spare(byte_size(node_.outputs[i])));
    }
    CompileOptions of_body = options;
    of_body.threads = threads_of_body(node_, options.threads);
    of_body.memory_limit = 0;  // it holds for the whole
    const TeamSize team(of_body.threads);
    for (const Graph& region : node_.regions) {
      plans_.push_back(
          make_plan(region, signature_of(region, std::span(layouts).subspan(first), of_results), of_body));
      arena_bytes_ = std::max(arena_bytes_, plans_.back().arena_bytes);
    }
    arena_bytes_ = (arena_bytes_ + 63) / 64 * 64;
    arenas_ = take(arena_bytes_ * workers_);
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }

  std::unique_ptr<KernelState> make_state() const override {
    return with_bodies(std::make_unique<ControlState>());
  }

 protected:
  std::unique_ptr<KernelState> with_bodies(std::unique_ptr<ControlState> state) const {
    for (size_t i = 0; i < plans_.size(); ++i)
      for (int worker = 0; worker < workers_; ++worker)
        state->bodies.push_back(std::make_unique<Body>(plans_[i], node_.regions[i].inputs.size(),
                                                       node_.regions[i].outputs.size()));
    return state;
  }

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
  std::byte* arena(void* const* buffers, int worker = 0) const {
    return arena_bytes_ > 0 ? at(buffers, {scratch_slot_, arenas_ + worker * arena_bytes_}) : nullptr;
  }
  const Plan& plan() const { return plans_[0]; }

  const Node node_;
  const int workers_;
  std::vector<int64_t> operand_bytes_;

 private:
  int64_t take(int64_t bytes) {
    const int64_t offset = scratch_bytes_;
    scratch_bytes_ += (bytes + 63) / 64 * 64;
    return offset;
  }

  size_t scratch_slot_;
  std::vector<Plan> plans_;
  int64_t arena_bytes_ = 0, arenas_ = 0, scratch_bytes_ = 0;
  std::vector<size_t> operands_;  // slots
  std::vector<Place> results_;
};

class CondKernel : public ControlKernel {
 public:
  CondKernel(const KernelRequest& request, const CompileOptions& options)
      : ControlKernel(request, options, 1) {}
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
      : ControlKernel(request, options), counts_(node_), reverse_(node_.attributes.get<bool>("reverse")) {
    for (size_t i = 0; i < counts_.carries; ++i) second_.push_back(spare(operand_bytes_[i]));
  }

  std::unique_ptr<KernelState> make_state() const override {
    return with_bodies(std::make_unique<RoundsState>(counts_.length));
  }
  std::vector<LaunchProfile> launches() const override {
    return repeated(launches_of(plan()), counts_.length);
  }

  void run(void* const* buffers, KernelState* state) const override {
    auto& bodies = static_cast<ControlState*>(state)->bodies;
    for (const auto& body : bodies)
      for (size_t i = 0; i < body->arguments.size(); ++i) body->arguments[i] = operand(buffers, i);
    if (workers_ > 1)
      return side_by_side(counts_.length, workers_, [&](int64_t step, int worker) {
        run_step(buffers, *bodies[static_cast<size_t>(worker)], step, worker);
      });
    for (int64_t step = 0; step < counts_.length; ++step) run_step(buffers, *bodies[0], step, 0);
    if (counts_.length > 0) return;
    for (size_t i = 0; i < counts_.carries; ++i)
      std::memcpy(result(buffers, i), operand(buffers, i), static_cast<size_t>(operand_bytes_[i]));
  }

 private:
  void run_step(void* const* buffers, Body& body, int64_t step, int worker) const {
    const int64_t index = reverse_ ? counts_.length - 1 - step : step;
    const bool to_result = (counts_.length - 1 - step) % 2 == 0;
    for (size_t i = 0; i < counts_.carries; ++i)
      body.results[i] = to_result ? result(buffers, i) : at(buffers, second_[i]);
    for (size_t i = counts_.carries; i < counts_.carries + counts_.xs; ++i)
      body.arguments[i] = operand(buffers, i) + index * (operand_bytes_[i] / counts_.length);
    for (size_t i = counts_.carries; i < body.results.size(); ++i)
      body.results[i] = result(buffers, i) + index * (byte_size(node_.outputs[i]) / counts_.length);
    body.run(arena(buffers, worker));
    for (size_t i = 0; i < counts_.carries; ++i) body.arguments[i] = body.results[i];
  }

  const Counts counts_;
  const bool reverse_;
  std::vector<Place> second_;
};

// What is joined is written where it belongs; what is added up lies in spare memory, part after part, until
// all are there, so that the sum does not depend on who was first.
class InPartsKernel : public ControlKernel {
 public:
  InPartsKernel(const KernelRequest& request, const CompileOptions& options)
      : ControlKernel(request, options), parts_(node_) {
    for (size_t i = parts_.joined; i < node_.outputs.size(); ++i) {
      const int64_t bytes = byte_size(node_.outputs[i]);
      sums_.push_back({spare(bytes * parts_.count), bytes});
    }
  }

  std::unique_ptr<KernelState> make_state() const override {
    return with_bodies(std::make_unique<RoundsState>(parts_.count));
  }
  std::vector<LaunchProfile> launches() const override { return repeated(launches_of(plan()), parts_.count); }

  void run(void* const* buffers, KernelState* state) const override {
    auto& bodies = static_cast<ControlState*>(state)->bodies;
    for (const auto& body : bodies)
      for (size_t i = parts_.cut; i < body->arguments.size(); ++i) body->arguments[i] = operand(buffers, i);
    side_by_side(parts_.count, workers_, [&](int64_t part, int worker) {
      run_part(buffers, *bodies[static_cast<size_t>(worker)], part, worker);
    });
    for (size_t i = 0; i < sums_.size(); ++i)
      sum_parts(reinterpret_cast<const float*>(at(buffers, sums_[i].place)), sums_[i].bytes / 4,
                static_cast<size_t>(parts_.count), sums_[i].bytes / 4,
                reinterpret_cast<float*>(result(buffers, parts_.joined + i)));
  }

 private:
  void run_part(void* const* buffers, Body& body, int64_t part, int worker) const {
    for (size_t i = 0; i < parts_.cut; ++i)
      body.arguments[i] = operand(buffers, i) + part * (operand_bytes_[i] / parts_.count);
    for (size_t i = 0; i < parts_.joined; ++i)
      body.results[i] = result(buffers, i) + part * (byte_size(node_.outputs[i]) / parts_.count);
    for (size_t i = 0; i < sums_.size(); ++i)
      body.results[parts_.joined + i] = at(buffers, sums_[i].place) + part * sums_[i].bytes;
    body.run(arena(buffers, worker));
  }

  struct Sum {
    Place place;
    int64_t bytes;
  };
  const Parts parts_;
  std::vector<Sum> sums_;
};

class WhileKernel : public ControlKernel {
 public:
  WhileKernel(const KernelRequest& request, const CompileOptions& options)
      : ControlKernel(request, options), carries_(Counts(node_).carries), verdict_(spare(1)) {
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

int threads_of_body(const Node& node, int threads) { return workers_of(node, threads) > 1 ? 1 : threads; }

bool is_cut(const Node& node, size_t operand) { return is_parts(node) && operand < Parts(node).cut; }
bool is_joined(const Node& node, size_t result) { return is_parts(node) && result < Parts(node).joined; }

bool takes_any_layout(const Node& node, size_t operand) {
  if (is_parts(node)) return !is_cut(node, operand);
  if (node.op->name != "scan") return false;
  const Counts counts(node);
  return operand >= counts.carries + counts.xs;
}

std::vector<int64_t> wanted_layouts(const Node& node, int threads, bool may_fill, bool may_transform) {
  const Graph& body = node.regions[0];
  const std::vector<Cluster> clusters = make_clusters(body);
  const std::vector<Operands> operands = operands_of(body, clusters);
  const Layouts layouts(body, clusters, operands, threads_of_body(node, threads),
                        {.may_fill = may_fill, .may_transform = may_transform});
  std::vector<int64_t> result;
  for (const Port& input : body.inputs) result.push_back(layouts.of(input.value));
  return result;
}

Claim claim_control(const Graph& graph, const Node& node) {
  for (const Value input : node.inputs)
    if (is_packed(graph.type(input).dtype))
      return {Claim::refuse, concat("no regions over ", to_string(graph.type(input).dtype))};
  for (size_t i = 0; is_parts(node) && i < node.outputs.size(); ++i)
    if (!is_joined(node, i) && node.outputs[i].dtype != DType::f32)
      return {Claim::decompose, "its kernel adds up in f32"};
  return {Claim::kernel, node.op->name == "call" ? "its body" : "a loop over its body's launches"};
}

std::unique_ptr<Kernel> make_control(const KernelRequest& request, const CompileOptions& options) {
  const std::string_view name = request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])].op->name;
  if (name == "scan") return std::make_unique<ScanKernel>(request, options);
  if (name == "in_parts") return std::make_unique<InPartsKernel>(request, options);
  if (name == "cond") return std::make_unique<CondKernel>(request, options);
  TEMPER_CHECK(name == "while_loop", name);
  return std::make_unique<WhileKernel>(request, options);
}

}  // namespace temper::cpu
