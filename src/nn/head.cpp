// parse_head and attach_head of nn/head.h.
#include "nn/head.h"

#include <algorithm>

#include "base/text.h"
#include "nn/layers.h"

namespace temper::nn {
namespace {

[[noreturn]] void refuse(std::string_view step, std::string_view why) {
  throw Error(ErrorKind::invalid, concat("head: step \"", step, "\": ", why));
}

HeadStep parse_dense(std::string_view step, std::span<const std::string_view> options) {
  HeadStep result{.kind = HeadStep::dense};
  for (size_t i = 0; i < options.size(); ++i) {
    const std::string_view option = options[i];
    int64_t units = 0;
    if (i == 0 && parse_number(option, units) && units > 0 && units <= (int64_t{1} << 20)) {
      result.units = units;
    } else if (i + 1 == options.size() && (option == "relu" || option == "gelu" || option == "tanh")) {
      result.activation = option;
    } else {
      refuse(step,
             concat("expected dense[:N][:relu|gelu|tanh] with N from 1 to 1048576, found \"", option, "\""));
    }
  }
  return result;
}

HeadStep parse_step(std::string_view step) {
  static const std::vector<std::string> kNames{"gap", "gmp", "flatten", "dense", "dropout", "bn"};
  const std::vector<std::string_view> parts = split(step, ':');
  const std::string_view name = parts[0];
  const std::span<const std::string_view> options = std::span(parts).subspan(1);
  if (name == "dense") return parse_dense(step, options);
  if (name == "dropout") {
    HeadStep result{.kind = HeadStep::dropout};
    if (options.size() != 1 || !parse_number(options[0], result.rate) ||
        !(result.rate >= 0 && result.rate < 1))
      refuse(step, "expected dropout:P with P in [0, 1)");
    return result;
  }
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    const std::string near = closest(name, kNames);
    refuse(step, near.empty() ? concat("expected one of ", join(kNames, ", "))
                              : concat("did you mean ", near, "?"));
  }
  if (!options.empty()) refuse(step, concat(name, " takes no options"));
  if (name == "gap") return {.kind = HeadStep::gap};
  if (name == "gmp") return {.kind = HeadStep::gmp};
  return {.kind = name == "bn" ? HeadStep::bn : HeadStep::flatten};
}

std::string step_text(const HeadStep& step) {
  switch (step.kind) {
    case HeadStep::gap:
      return "gap";
    case HeadStep::gmp:
      return "gmp";
    case HeadStep::flatten:
      return "flatten";
    case HeadStep::bn:
      return "bn";
    case HeadStep::dropout:
      return concat("dropout:", step.rate);
    case HeadStep::dense:
      break;
  }
  return concat("dense", step.units > 0 ? concat(":", step.units) : "", step.activation.empty() ? "" : ":",
                step.activation);
}

// "head", or "head2", ... if the model has parameters of that name.
std::string free_prefix(const Model& model) {
  for (int number = 1;; ++number) {
    const std::string prefix = number == 1 ? "head" : concat("head", number);
    const auto at = model.parameters.lower_bound(prefix + ".");
    if (at == model.parameters.end() || !starts_with(at->first, prefix + ".")) return prefix;
  }
}

class Head {
 public:
  Head(Model& model, uint64_t seed, int64_t classes)
      : prefix_(free_prefix(model)), layers_(model, seed), classes_(classes) {}

  Value apply(Value x, const std::vector<HeadStep>& steps) {
    for (size_t i = 0; i < steps.size(); ++i) x = apply(x, steps[i], concat(prefix_, ".", i));
    const Shape& shape = layers_.builder().shape(x);
    if (shape.rank() != 2 || shape[1] != Dim(classes_)) {
      throw Error(ErrorKind::invalid, concat("head: it gives ", to_string(shape), " but the data have ",
                                             classes_, " classes: end it with a dense without a size"));
    }
    return x;
  }

 private:
  Value apply(Value x, const HeadStep& step, const std::string& name) {
    const Shape shape = layers_.builder().shape(x);
    const auto want = [&](bool fits, std::string_view wanted, std::string_view remedy) {
      if (!fits)
        refuse(step_text(step), concat("expected ", wanted, " before it, found ", to_string(shape), remedy));
    };
    switch (step.kind) {
      case HeadStep::gap:
      case HeadStep::gmp:
        want(shape.rank() == 4, "[batch, channels, height, width]", "");
        return step.kind == HeadStep::gap ? layers_.global_avg_pool(name, x)
                                          : layers_.global_max_pool(name, x);
      case HeadStep::flatten:
        want(shape.rank() >= 2 &&
                 std::all_of(shape.begin() + 1, shape.end(), [](const Dim& d) { return d.is_static(); }),
             "known sizes", ": fix them with --shape, or use gap");
        return layers_.flatten(name, x);
      case HeadStep::dropout:
        return layers_.dropout(name, x, step.rate);
      case HeadStep::bn:
        want(shape.rank() >= 2 && shape[1].is_static(), "[batch, channels, ...]", "");
        return layers_.batch_norm(name, x);
      case HeadStep::dense:
        break;
    }
    want(shape.rank() == 2 && shape[1].is_static(), "[batch, features]", ": put gap or flatten before it");
    x = layers_.dense(name, x, step.units > 0 ? step.units : classes_);
    return step.activation.empty() ? x : layers_.activation(name + "." + step.activation, x, step.activation);
  }

  std::string prefix_;
  Layers layers_;
  int64_t classes_;
};

std::vector<char> live_nodes(const Graph& graph) {
  std::vector<char> live(static_cast<size_t>(graph.size()), 0);
  for (const Port& port : graph.outputs) live[static_cast<size_t>(port.value.node)] = 1;
  for (size_t i = live.size(); i-- > 0;) {
    if (!live[i]) continue;
    for (Value input : graph.nodes()[i].inputs) {
      if (input) live[static_cast<size_t>(input.node)] = 1;
    }
  }
  return live;
}

// Drops nodes that no output needs, and parameters (not data inputs) that none reads. Returns those.
std::vector<std::string> drop_dead(Model& model) {
  const std::vector<char> live = live_nodes(model.graph);
  Graph graph;
  Builder b(graph);
  std::vector<std::vector<Value>> copies(live.size());
  std::vector<std::string> dropped;
  for (const Port& port : model.graph.inputs) {
    const auto node = static_cast<size_t>(port.value.node);
    if (live[node] || !model.parameters.contains(port.name)) {
      copies[node] = {b.input(port.name, model.graph.type(port.value))};
    } else {
      dropped.push_back(port.name);
      model.parameters.erase(port.name);
    }
  }
  const auto copy_of = [&](Value value) {
    return value ? copies[static_cast<size_t>(value.node)][static_cast<size_t>(value.index)] : Value{};
  };
  for (size_t i = 0; i < live.size(); ++i) {
    const Node& node = model.graph.nodes()[i];
    if (!live[i] || node.op == &input_op) continue;
    std::vector<Value> inputs;
    for (Value input : node.inputs) inputs.push_back(copy_of(input));
    copies[i] = b.emit_all(*node.op, std::move(inputs), node.attributes, node.name, node.regions);
  }
  for (const Port& port : model.graph.outputs) b.output(port.name, copy_of(port.value));
  model.graph = std::move(graph);
  return dropped;
}

}  // namespace

std::vector<HeadStep> parse_head(std::string_view text) {
  std::vector<HeadStep> steps;
  for (std::string_view step : split(text, ',')) steps.push_back(parse_step(trim(step)));
  return steps;
}

NewHead attach_head(Model& model, const Cut& cut, const std::vector<HeadStep>& steps, int64_t classes,
                    uint64_t seed) {
  NewHead result;
  std::vector<std::string> texts;
  for (const HeadStep& step : steps) texts.push_back(step_text(step));
  result.steps = join(texts, ",");
  const Shape& shape = model.graph.type(cut.value).shape;
  result.shape = Shape(std::vector<Dim>(shape.begin() + 1, shape.end()));

  Model changed = model;  // a step that does not fit leaves the model as it was
  const std::string output = changed.graph.outputs.front().name;
  const Value scores = Head(changed, seed, classes).apply(cut.value, steps);
  changed.graph.outputs = {{output, scores}};
  changed.graph.donations.clear();
  result.dropped = drop_dead(changed);
  for (const auto& [name, tensor] : changed.parameters) {
    if (!model.parameters.contains(name)) result.parameters.push_back(name);
  }
  model = std::move(changed);
  return result;
}

}  // namespace temper::nn
