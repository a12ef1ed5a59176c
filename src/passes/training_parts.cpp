// A training step whose large pictures go through it in parts of the batch
// (docs/adr/12-training-in-parts.md). Between the sums of two batch norms every op treats samples alone or
// adds up over them: a norm's map, a convolution, the next norm's sums. Such a region runs part after part
// while its values are in a cache; only what other regions read goes to memory, and a norm's result is
// computed again where it is read rather than kept.
#include "passes/training_parts.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "ir/builder.h"
#include "ops/composites.h"
#include "ops/primitives.h"

namespace temper {
namespace {

class Writer {
 public:
  Writer(const Graph& graph, const Roles& roles, const Regions& regions)
      : graph_(graph),
        roles_(roles),
        regions_(regions),
        b_(result_),
        readers_(users(graph)),
        region_of_(static_cast<size_t>(graph.size()), -1),
        new_values_(static_cast<size_t>(graph.size())) {
    for (size_t r = 0; r < regions.all().size(); ++r)
      for (const int node : regions.all()[r].nodes)
        region_of_[static_cast<size_t>(node)] = static_cast<int>(r);
  }

  Graph write() {
    for (const Port& port : graph_.inputs)
      new_values_[static_cast<size_t>(port.value.node)] = {b_.input(port.name, graph_.type(port.value))};
    int levels = 0;
    for (int i = 0; i < graph_.size(); ++i) levels = std::max(levels, regions_.level(i) + 1);
    // What regions of a level read, they themselves, then the rest: so an update of what they read comes
    // later.
    const std::vector<bool> read_soon = read_on_the_level();
    std::vector<std::vector<int>> before(static_cast<size_t>(levels)), after(before), together(before);
    int latest = 0;
    for (int i = 0; i < graph_.size(); ++i) {
      latest = std::max(latest, regions_.level(i));
      if (region_of_[static_cast<size_t>(i)] >= 0 || !new_values_[static_cast<size_t>(i)].empty()) continue;
      auto& where = read_soon[static_cast<size_t>(i)] ? before : after;
      // What is only a result, such as new state, stays behind all that stood before it: they may read the
      // old.
      const bool is_last = readers_[static_cast<size_t>(i)].empty();
      where[static_cast<size_t>(is_last ? latest : regions_.level(i))].push_back(i);
    }
    for (size_t r = 0; r < regions_.all().size(); ++r)
      together[static_cast<size_t>(regions_.level(regions_.all()[r].nodes[0]))].push_back(
          static_cast<int>(r));
    for (size_t level = 0; level < before.size(); ++level) {
      for (const int node : before[level]) copy(node);
      for (const int region : together[level]) write_region(region);
      for (const int node : after[level]) copy(node);
    }
    for (const Port& port : graph_.outputs) b_.output(port.name, now(port.value));
    result_.donations = graph_.donations;
    return eliminate_dead(result_);
  }

 private:
  Value now(Value value) const {
    return value ? new_values_[static_cast<size_t>(value.node)][static_cast<size_t>(value.index)] : Value{};
  }

  // By node outside of regions, whether one of its level needs it.
  std::vector<bool> read_on_the_level() const {
    std::vector<bool> read(static_cast<size_t>(graph_.size()), false);
    for (int i = graph_.size() - 1; i >= 0; --i) {
      if (region_of_[static_cast<size_t>(i)] < 0 && !read[static_cast<size_t>(i)]) continue;
      for (const Value input : graph_.nodes()[static_cast<size_t>(i)].inputs)
        if (input && regions_.level(input.node) == regions_.level(i))
          read[static_cast<size_t>(input.node)] = true;
    }
    return read;
  }

  void copy(int i) {
    const Node& node = graph_.nodes()[static_cast<size_t>(i)];
    std::vector<Value> inputs;
    for (const Value input : node.inputs) inputs.push_back(now(input));
    new_values_[static_cast<size_t>(i)] =
        b_.emit_all(*node.op, inputs, node.attributes, node.name, node.regions);
  }

  // A norm's map that costs less to compute again than to keep.
  bool is_repeated(Value value) const {
    const Node& node = graph_.node(value);
    return node.op->name == "batch_norm_act_infer" && node.inputs.size() < 6 &&
           region_of_[static_cast<size_t>(value.node)] >= 0;
  }

  bool is_read_outside(Value value, int region) const {
    for (const Port& port : graph_.outputs)
      if (port.value == value) return true;
    return std::ranges::any_of(readers_[static_cast<size_t>(value.node)], [&](int reader) {
      const auto& inputs = graph_.nodes()[static_cast<size_t>(reader)].inputs;
      if (std::ranges::find(inputs, value) == inputs.end()) return false;
      const int where = region_of_[static_cast<size_t>(reader)];
      return where != region && (where < 0 || !is_repeated(value));
    });
  }

  // One region under construction.
  struct Body {
    explicit Body(int64_t parts) : parts(parts) {}
    const int64_t parts;
    Graph graph;
    std::map<Value, Value> known;      // of the whole graph -> of the body
    std::vector<Value> cut, captured;  // of the whole graph
    std::vector<Port> cut_inputs, captured_inputs, joined, added;
    std::vector<Value> joined_values, added_values;  // of the whole graph
  };

  void write_region(int number) {
    const Region& region = regions_.all()[static_cast<size_t>(number)];
    const Node& first = graph_.nodes()[static_cast<size_t>(region.nodes[0])];
    const int64_t batch = graph_.type(first.inputs[roles_[region.nodes[0]].samples_in[0]]).shape.size(0);
    Body body(batch / region.part);
    Builder b(body.graph);
    for (const int i : region.nodes) write_member(b, body, i);
    for (const int i : region.nodes) add_results(b, body, i, number);
    b_.set_default_name(name_of(region));
    finish(std::move(body));
    b_.set_default_name({});
  }

  // That of what is most work: a convolution, if there is one.
  std::string name_of(const Region& region) const {
    const Node* named = nullptr;
    for (const int i : region.nodes) {
      const Node& node = graph_.nodes()[static_cast<size_t>(i)];
      if (!named || is_any(node, {"conv2d", "conv_input_grad"})) named = &node;
    }
    return named->name;
  }

  static Shape of_part(Shape shape, int64_t parts) {
    shape[0] = shape.size(0) / parts;
    return shape;
  }

  // Inputs are ordered when the body is whole.
  Value outer_samples(Builder& b, Body& body, Value value) {
    if (const auto found = body.known.find(value); found != body.known.end()) return found->second;
    if (is_repeated(value)) return body.known[value] = write_node(b, body, value.node)[0];
    const Type& type = graph_.type(value);
    const Value input =
        b.input(concat("cut.", body.cut.size()), {type.dtype, of_part(type.shape, body.parts)});
    body.cut.push_back(value);
    body.cut_inputs.push_back(body.graph.inputs.back());
    return body.known[value] = input;
  }

  Value outer_whole(Builder& b, Body& body, Value value) {
    if (const auto found = body.known.find(value); found != body.known.end()) return found->second;
    const Node& node = graph_.node(value);
    if (node.op->name == "constant")
      return body.known[value] = b.constant(node.attributes.get<Tensor>("value"));
    if (node.op->name == "convert")  // of weights: the kernel that reads them converts them
      return body.known[value] =
                 ops::convert(b, outer_whole(b, body, node.inputs[0]), graph_.type(value).dtype);
    const Value input = b.input(concat("whole.", body.captured.size()), graph_.type(value));
    body.captured.push_back(value);
    body.captured_inputs.push_back(body.graph.inputs.back());
    return body.known[value] = input;
  }

  std::vector<Value> write_node(Builder& b, Body& body, int i) {
    const Node& node = graph_.nodes()[static_cast<size_t>(i)];
    const auto& samples = roles_[i].samples_in;
    std::vector<Value> inputs;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const bool cut = std::ranges::find(samples, k) != samples.end();
      inputs.push_back(!node.inputs[k] ? Value{}
                       : cut           ? outer_samples(b, body, node.inputs[k])
                                       : outer_whole(b, body, node.inputs[k]));
    }
    Attributes attributes = node.attributes;
    if (const Attribute* shape = attributes.find("input_shape"))
      attributes.set("input_shape", of_part(std::get<Shape>(*shape), body.parts));
    return b.emit_all(*node.op, std::move(inputs), std::move(attributes), node.name);
  }

  void write_member(Builder& b, Body& body, int i) {
    const std::vector<Value> values = write_node(b, body, i);
    for (size_t k = 0; k < values.size(); ++k) body.known[{i, static_cast<int32_t>(k)}] = values[k];
  }

  void add_results(Builder& b, Body& body, int i, int region) {
    const Role& role = roles_[i];
    const auto of = [&](size_t k) { return Value{i, static_cast<int32_t>(k)}; };
    for (const size_t k : role.samples_out) {
      if (!is_read_outside(of(k), region)) continue;
      body.joined.push_back({concat("joined.", body.joined.size()), body.known.at(of(k))});
      body.joined_values.push_back(of(k));
    }
    for (const size_t k : {size_t{1}, size_t{2}}) {
      if (!role.moments) break;
      const Value vector = body.known.at(of(k));
      const Value row = ops::reshape(b, vector, {1, b.shape(vector).size(0)});
      body.joined.push_back({concat("joined.", body.joined.size()), row});
      body.joined_values.push_back(of(k));
    }
    for (const size_t k : role.sums) {
      body.added.push_back({concat("added.", body.added.size()), body.known.at(of(k))});
      body.added_values.push_back(of(k));
    }
  }

  void finish(Body body) {
    body.graph.inputs = body.cut_inputs;
    body.graph.inputs.insert(body.graph.inputs.end(), body.captured_inputs.begin(),
                             body.captured_inputs.end());
    body.graph.outputs = body.joined;
    body.graph.outputs.insert(body.graph.outputs.end(), body.added.begin(), body.added.end());
    std::vector<Value> cut, captured;
    for (const Value value : body.cut) cut.push_back(now(value));
    for (const Value value : body.captured) captured.push_back(now(value));
    const auto joined = static_cast<int64_t>(body.joined.size());
    const std::vector<Value> results =
        ops::in_parts(b_, std::move(body.graph), std::move(cut), std::move(captured), joined, body.parts);
    size_t next = 0;
    for (const auto* values : {&body.joined_values, &body.added_values})
      for (const Value value : *values) set(value, results[next++]);
    for (const Value value : body.joined_values)
      if (roles_[value.node].moments && value.index == 1) join_moments(value.node);
  }

  void set(Value value, Value to) {
    auto& values = new_values_[static_cast<size_t>(value.node)];
    values.resize(graph_.node(value).outputs.size());
    values[static_cast<size_t>(value.index)] = to;
  }

  // Of parts of one size: the mean of the means; the mean of the variances and of the means' squared
  // distances.
  void join_moments(int node) {
    const Value means = now({node, 1}), variances = now({node, 2});
    const Value mean = ops::reduce_mean(b_, means, {0});
    const Value away = ops::sub(b_, means, ops::reshape(b_, mean, {1, b_.shape(mean).size(0)}));
    set({node, 1}, mean);
    set({node, 2}, ops::add(b_, ops::reduce_mean(b_, variances, {0}),
                            ops::reduce_mean(b_, ops::mul(b_, away, away), {0})));
  }

  const Graph& graph_;
  const Roles& roles_;
  const Regions& regions_;
  Graph result_;
  Builder b_;
  const std::vector<std::vector<int>> readers_;
  std::vector<int> region_of_;                  // by node; -1: none
  std::vector<std::vector<Value>> new_values_;  // by node of graph_
};

}  // namespace

Graph train_in_parts(const Graph& graph, const TrainingLimits& limits) {
  const auto& nodes = graph.nodes();
  if (std::ranges::none_of(nodes, [&](const Node& node) { return is_large_norm(graph, node, limits); }))
    return graph;
  const Graph apart = take_norms_apart(graph, limits);
  const Roles roles(apart);
  const Regions regions(apart, roles, limits);
  return regions.all().empty() ? graph : Writer(apart, roles, regions).write();
}

}  // namespace temper
