#include "launches/plan.h"

#include <algorithm>

#include "base/check.h"
#include "codegen/tape_text.h"
#include "ir/op.h"
#include "target/cost.h"

namespace temper::launches {

int KernelTable::add(const KernelText& kernel) {
  const auto [at, added] = numbers_.try_emplace({kernel.text, kernel.lanes}, static_cast<int>(kinds_.size()));
  if (added) {
    kinds_.push_back(kernel.kind);
    texts_.push_back(kernel.text);
    lanes_.push_back(kernel.lanes);
  }
  return at->second;
}

std::string KernelTable::name(int number) const {
  return concat("k", number, "_", kinds_[static_cast<size_t>(number)]);
}

std::string KernelTable::source(const Dialect& dialect) const {
  std::string source = preamble(dialect);
  for (size_t i = 0; i < texts_.size(); ++i)
    source += concat("\nKERNEL LANES(", lanes_[i], ") void ", name(static_cast<int>(i)), texts_[i]);
  return source;
}

namespace {

class Planner {
 public:
  Planner(const Vendor& vendor, const TargetFacts& facts, const Graph& graph, KernelTable& kernels)
      : vendor_(vendor), facts_(facts), graph_(graph), kernels_(kernels) {}

  Plan plan() {
    for (size_t i = 0; i < graph_.inputs.size(); ++i)
      where_[graph_.inputs[i].value] =
          add_buffer(Buffer::argument, static_cast<int>(i), byte_size(graph_.type(graph_.inputs[i].value)));
    const std::vector<Work> all = cut_into_work(vendor_, facts_, graph_);
    find_direct_results();
    for (const Work& work : all) add_work(work);
    add_results();
    place(plan_, graph_.donations);
    return std::move(plan_);
  }

 private:
  int add_buffer(Buffer::Where where, int index, int64_t bytes) {
    plan_.buffers.push_back({.where = where, .index = index, .bytes = bytes});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  // Values that a kernel may write straight into the result's memory.
  void find_direct_results() {
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      const Value value = origin(graph_, graph_.outputs[i].value);
      if (!is_leaf(graph_.node(value))) direct_.emplace(value, static_cast<int>(i));
    }
  }

  int read(Value value) {
    value = origin(graph_, value);
    if (const auto found = where_.find(value); found != where_.end()) return found->second;
    const Node& node = graph_.node(value);
    TEMPER_CHECK(node.op->name == "constant", graph_.describe(value.node), " is read before it is computed");
    plan_.constants.push_back(node.attributes.get<Tensor>("value"));
    return where_[value] = add_buffer(Buffer::constant, static_cast<int>(plan_.constants.size()) - 1,
                                      plan_.constants.back().bytes());
  }

  int write(Value value) {
    const auto direct = direct_.find(value);
    const int64_t bytes = byte_size(graph_.type(value));
    return where_[value] = direct == direct_.end() ? add_buffer(Buffer::arena, 0, bytes)
                                                   : add_buffer(Buffer::result, direct->second, bytes);
  }

  void add_work(const Work& work) {
    const Node& root = graph_.nodes()[static_cast<size_t>(work.cluster.nodes.back())];
    LaunchProfile about{.name = root.name.empty() ? std::string(root.op->name) : root.name,
                        .kind = work.cluster.kind};
    for (const int node : work.cluster.nodes)
      about.flops += flops(graph_, graph_.nodes()[static_cast<size_t>(node)]);
    for (const Value input : work.inputs) about.bytes += byte_size(graph_.type(input));
    for (const Value output : work.outputs) about.bytes += byte_size(graph_.type(output));
    if (work.call) return add_call(work, about);
    if (is_control(root)) return add_control(work, root, about);
    if (has_node_kernels(root)) return add_node(work, root, about);
    add_tape(work, about);
  }

  Launch launch_of(const KernelText& text, const LaunchProfile& about) {
    return {.kernel = kernels_.add(text),
            .groups = text.groups,
            .lanes = text.lanes,
            .numbers = text.numbers,
            .about = about};
  }

  void add_call(const Work& work, const LaunchProfile& about) {
    Launch launch{.reads = static_cast<int>(work.inputs.size()), .call = work.call, .about = about};
    for (const Value input : work.inputs) launch.buffers.push_back(read(input));
    for (const Value output : work.outputs) launch.buffers.push_back(write(output));
    plan_.launches.push_back(std::move(launch));
  }

  void add_node(const Work& work, const Node& node, LaunchProfile about) {
    std::vector<int> operands;
    for (const Value input : work.inputs) operands.push_back(read(input));
    for (const Value output : work.outputs) operands.push_back(write(output));
    for (const KernelStep& step : vendor_.kernels_of(facts_, graph_, node)) {
      Launch launch = launch_of(step.kernel, about);
      for (const int operand : step.operands)
        launch.buffers.push_back(operands[static_cast<size_t>(operand)]);
      launch.reads = static_cast<int>(step.reads);
      add_launch(std::move(launch), work);
      about.flops = about.bytes = 0;  // told once
    }
  }

  void add_tape(const Work& work, const LaunchProfile& about) {
    Tape tape = lower(graph_, work.cluster, work.inputs, work.outputs);
    std::vector<int> renamed(work.inputs.size(), -1);
    std::vector<Type> types;
    std::vector<int> buffers;
    for (TapeSource& source : tape.sources) {
      if (source.kind != TapeSource::tensor) continue;
      int& own = renamed[static_cast<size_t>(source.input)];
      if (own < 0) {
        const Value input = work.inputs[static_cast<size_t>(source.input)];
        own = static_cast<int>(types.size());
        types.push_back(graph_.type(input));
        buffers.push_back(read(input));
      }
      source.input = own;
    }
    Launch launch = launch_of(tape_kernel(tape, types), about);
    launch.reads = static_cast<int>(buffers.size());
    for (const Value output : work.outputs) buffers.push_back(write(output));
    launch.buffers = std::move(buffers);
    find_in_place(tape, types, launch);
    add_launch(std::move(launch), work);
  }

  // Fusion keeps within the limit: what does not is a node with so many operands of its own.
  void add_launch(Launch launch, const Work& work) {
    const size_t operands = launch.buffers.size() + (launch.numbers.size() + 1) / 2,
                 most = max_operands(vendor_, facts_);
    if (operands > most) {
      const int node = work.cluster.nodes.back();
      throw Error(ErrorKind::unsupported,
                  concat("device `", vendor_.target, "` cannot run ", graph_.describe(node),
                         ": its kernel has ", operands, " operands, the device takes ", most))
          .at_node(graph_.nodes()[static_cast<size_t>(node)].name);
    }
    plan_.launches.push_back(std::move(launch));
  }

  // An item reads the very element whose place it writes.
  static void find_in_place(const Tape& tape, const std::vector<Type>& types, Launch& launch) {
    const int64_t elements = product_of(tape.space);
    for (size_t j = 0; j < types.size(); ++j) {
      if (types[j].shape.elements() != elements) continue;
      const bool straight = std::ranges::all_of(tape.sources, [&](const TapeSource& source) {
        if (source.kind != TapeSource::tensor || source.input != static_cast<int>(j)) return true;
        int last = -1;  // own axes in the order of the space
        for (size_t a = 0; a < source.axes.size(); ++a) {
          if (tape.space[a] == 1) continue;
          if (source.axes[a] <= last) return false;
          last = source.axes[a];
        }
        return true;
      });
      for (size_t k = 0; straight && k < tape.results.size(); ++k)
        if (!tape.results[k].reduced && bit_width(tape.results[k].dtype) == bit_width(types[j].dtype))
          launch.in_place.emplace_back(static_cast<int>(j), launch.reads + static_cast<int>(k));
    }
  }

  static int64_t take(int64_t& bytes, int64_t more) {
    const int64_t offset = bytes;
    bytes += (more + 63) / 64 * 64;
    return offset;
  }

  void add_control(const Work& work, const Node& node, const LaunchProfile& about) {
    const std::string_view name = node.op->name;
    auto control = std::make_shared<Control>();
    control->kind = name == "call"   ? Control::call
                    : name == "cond" ? Control::cond
                    : name == "scan" ? Control::scan
                                     : Control::while_loop;
    Launch launch{.reads = static_cast<int>(work.inputs.size()), .about = about};
    for (const Value input : work.inputs) {
      launch.buffers.push_back(read(input));
      control->input_bytes.push_back(byte_size(graph_.type(input)));
    }
    for (const Value output : work.outputs) {
      launch.buffers.push_back(write(output));
      control->output_bytes.push_back(byte_size(graph_.type(output)));
    }
    control->carries = static_cast<size_t>(node.attributes.get_or<int64_t>("carries", 0));
    control->sliced = static_cast<size_t>(node.attributes.get_or<int64_t>("xs", 0));
    control->length = node.attributes.get_or<int64_t>("length", 0);
    control->reverse = node.attributes.get_or<bool>("reverse", false);
    int64_t bytes = 0, arena = 0;
    for (size_t i = 0; i < control->carries; ++i)
      control->second.push_back(take(bytes, control->input_bytes[i]));
    control->verdict = take(bytes, 1);
    control->body_arena = bytes;
    for (const Graph& region : node.regions) {
      control->bodies.push_back(make_plan(vendor_, facts_, region, kernels_));
      arena = std::max(arena, control->bodies.back().arena_bytes);
    }
    control->scratch_bytes = bytes + arena;
    launch.buffers.push_back(add_buffer(Buffer::arena, 0, control->scratch_bytes));
    launch.control = std::move(control);
    plan_.launches.push_back(std::move(launch));
  }

  void add_results() {
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      const int from = read(graph_.outputs[i].value);
      const Buffer& buffer = plan_.buffers[static_cast<size_t>(from)];
      if (buffer.where == Buffer::result && buffer.index == static_cast<int>(i)) continue;
      const int64_t bytes = buffer.bytes;
      Launch copy{.buffers = {from, add_buffer(Buffer::result, static_cast<int>(i), bytes)}, .reads = 1};
      copy.about = {.name = graph_.outputs[i].name, .kind = "copy", .bytes = 2 * bytes};
      plan_.launches.push_back(std::move(copy));
    }
  }

  const Vendor& vendor_;
  const TargetFacts& facts_;
  const Graph& graph_;
  KernelTable& kernels_;
  Plan plan_;
  std::map<Value, int> where_, direct_;
};

}  // namespace

Plan make_plan(const Vendor& vendor, const TargetFacts& facts, const Graph& graph, KernelTable& kernels) {
  return Planner(vendor, facts, graph, kernels).plan();
}

bool is_decided_late(const Plan& plan) {
  return std::ranges::any_of(plan.launches, [](const Launch& launch) {
    if (!launch.control) return false;
    const Control& control = *launch.control;
    return control.kind == Control::cond || control.kind == Control::while_loop ||
           std::ranges::any_of(control.bodies, is_decided_late);
  });
}

std::vector<LaunchProfile> launches_of(const Plan& plan) {
  std::vector<LaunchProfile> all;
  for (const Launch& launch : plan.launches) all.push_back(launch.about);
  return all;
}

}  // namespace temper::launches
