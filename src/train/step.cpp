#include "train/step.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "grad/gradient.h"
#include "nn/training_mode.h"
#include "ops/composites.h"
#include "ops/primitives.h"
#include "ops/random.h"
#include "passes/passes.h"
#include "train/trainable.h"

namespace temper {
namespace {

constexpr uint64_t kNextKey = uint64_t{1} << 63;  // far from the streams of dropouts

// A graph input whose successor is an output of the same name, its memory reused.
class State {
 public:
  explicit State(Builder& b) : b_(b) {}
  Value input(const std::string& name, const Type& type) { return b_.input(name, type); }
  void next(const std::string& name, Value value) {
    const auto& inputs = b_.graph().inputs;
    const auto found = std::ranges::find(inputs, name, &Port::name);
    TEMPER_CHECK(found != inputs.end(), "no state ", name);
    TEMPER_CHECK(b_.type(found->value) == b_.type(value), "state ", name, " changes its type to ",
                 to_string(b_.type(value)));
    b_.graph().donations.push_back(
        {static_cast<int>(found - inputs.begin()), static_cast<int>(b_.graph().outputs.size())});
    b_.output(name, value);
  }

 private:
  Builder& b_;
};

std::string input_of(const Graph& graph, Value value) {
  const auto found = std::ranges::find(graph.inputs, value, &Port::value);
  return found == graph.inputs.end() ? std::string() : found->name;
}

// A model graph copied into a step: its outputs, its parameters and its data.
struct Inlined {
  std::map<std::string, Value> parameters;  // by the model's names
  std::vector<Value> outputs;
  Value key;
};

Inlined inline_model(Builder& b, const Model& model, const Graph& graph) {
  Inlined result;
  std::vector<Value> inputs;
  // Parameters come first in every graph of a model, in the model's order.
  for (const Port& port : graph.inputs) {
    if (!model.parameters.contains(port.name)) continue;
    result.parameters[port.name] = b.input("param." + port.name, graph.type(port.value));
  }
  for (const Port& port : graph.inputs) {
    const bool own = static_cast<bool>(model.graph.find_input(port.name));
    if (port.name == "key" && !own) {
      result.key = b.input("key", graph.type(port.value));
      inputs.push_back(result.key);
    } else if (port.name == "replica" && !own) {
      inputs.push_back(b.input("replica", graph.type(port.value)));
    } else if (const auto found = result.parameters.find(port.name); found != result.parameters.end()) {
      inputs.push_back(found->second);
    } else {
      inputs.push_back(b.input("input." + port.name, graph.type(port.value)));
    }
  }
  result.outputs = inline_graph(b, graph, inputs);
  return result;
}

Type label_type(const nn::Loss& loss, const Type& output) {
  return nn::takes_classes(loss) ? Type{DType::i64, {output.shape[0]}} : Type{DType::f32, output.shape};
}

struct Counts {
  Value correct, top5;  // f32 scalars; none for losses that know no right and wrong
};

// The label's rank among the scores: how many are higher, or equal with a lower index.
Counts count_classes(Builder& b, Value scores, Value labels) {
  const Shape column = {b.shape(labels)[0], 1};
  const Value classes = ops::iota(b, DType::i64, b.shape(scores), 1),
              own_class = ops::reshape(b, labels, column);
  const Value is_own = ops::compare(b, classes, own_class, "eq");
  const double least = -std::numeric_limits<double>::infinity();
  const Value masked = ops::select(b, is_own, scores, b.scalar(DType::f32, least));
  const Value own = ops::reshape(b, ops::reduce_max(b, masked, {1}), column);
  const Value tie =
      ops::bit_and(b, ops::compare(b, scores, own, "eq"), ops::compare(b, classes, own_class, "lt"));
  const Value ahead = ops::bit_or(b, ops::compare(b, scores, own, "gt"), tie);
  const Value rank = ops::reduce_sum(b, ops::convert(b, ahead, DType::f32), {1});
  const auto below = [&](double limit) {
    const Value yes = ops::compare(b, rank, b.scalar(DType::f32, limit), "lt");
    return ops::reduce_sum(b, ops::convert(b, yes, DType::f32), {0});
  };
  return {below(0.5), below(4.5)};
}

// A sample is right if each of its labels is.
Counts count_binary(Builder& b, Value output, nn::OutputForm form, Value labels) {
  const double middle = form == nn::OutputForm::logits          ? 0
                        : form == nn::OutputForm::probabilities ? 0.5
                                                                : std::log(0.5);
  const Value says = ops::compare(b, output, b.scalar(DType::f32, middle), "gt");
  const Value truth = ops::compare(b, labels, b.scalar(DType::f32, 0.5), "gt");
  Value right = ops::logical_not(b, ops::bit_xor(b, says, truth));
  Ints axes;
  for (int axis = 1; axis < b.shape(right).rank(); ++axis) axes.push_back(axis);
  if (!axes.empty()) right = ops::reduce(b, right, axes, "and");
  return {ops::reduce_sum(b, ops::convert(b, right, DType::f32), {0}), {}};
}

Graph finished(const Graph& graph, DType precision) {
  return merge_common(eliminate_dead(precision == DType::bf16 ? lower_precision(graph) : graph));
}

class StepBuilder {
 public:
  StepBuilder(const Model& model, const StepOptions& options)
      : model_(model), o_(options), b_(graph_), state_(b_) {}

  Graph build() {
    const nn::TrainingMode training =
        nn::training_mode(with_batch(model_, part_of_batch()),
                          [this](const Graph& graph, const Node& node) { return trains(graph, node); },
                          {o_.replicas, o_.sync_norm});
    model_values_ = inline_model(b_, model_, training.graph);
    add_trained();
    add_statistics();
    forward();
    update(gradients());
    for (size_t i = 0; i < training.statistics.size(); ++i) {
      const size_t output = model_values_.outputs.size() - training.statistics.size() + i;
      state_.next("param." + training.statistics[i], model_values_.outputs[output]);
    }
    if (model_values_.key) state_.next("key", ops::fold_in(b_, model_values_.key, kNextKey));
    statistics();
    return finished(graph_, o_.precision);
  }

  Graph build_update() {
    for (const Port& port : model_.graph.inputs)
      if (o_.trainable.contains(port.name))
        model_values_.parameters[port.name] = b_.input("param." + port.name, model_.graph.type(port.value));
    add_trained();
    add_hyper();
    std::vector<Value> gradients;
    for (const Trained& p : trained_) gradients.push_back(b_.input("gradient." + p.name, b_.type(p.value)));
    update(gradients);
    return finished(graph_, DType::f32);
  }

 private:
  bool trains(const Graph& graph, const Node& norm) const {
    return o_.trainable.contains(input_of(graph, norm.inputs[1])) ||
           o_.trainable.contains(input_of(graph, norm.inputs[2]));
  }

  int64_t part_of_batch() const { return o_.batch / o_.replicas; }

  Value over_replicas(Value x) {
    return !x || o_.replicas == 1 ? x : ops::all_reduce(b_, x, "sum", o_.replicas);
  }

  bool updates() const { return o_.part != StepOptions::gather; }

  void add_trained() {
    for (const Port& port : model_.graph.inputs) {
      if (o_.trainable.contains(port.name))
        trained_.push_back({port.name, model_values_.parameters.at(port.name)});
    }
    TEMPER_CHECK(trained_.size() == o_.trainable.size(), "a trainable name is no parameter");
    for (Trained& p : trained_) {
      const Type& type = b_.type(p.value);
      if (type.dtype != DType::f32) {
        throw Error(ErrorKind::unsupported,
                    concat("parameter ", p.name, " is ", to_string(type.dtype),
                           ": training wants f32; convert the model with --precision f32"));
      }
      if (updates()) {
        for (const std::string& slot : nn::optimizer_slots(o_.optimizer)) {
          p.slots.push_back(state_.input(concat("slot.", p.name, ".", slot), type));
        }
        if (o_.ema > 0) p.average = state_.input("ema." + p.name, type);
      }
      if (o_.part != StepOptions::whole) p.sum = state_.input("gradient." + p.name, type);
    }
    if (o_.part != StepOptions::whole) gradient_weight_ = state_.input("gradient_weight", kScalar);
  }

  void add_statistics() {
    for (const char* name : {"loss", "weight", "correct", "top5", "bad_step"}) {
      stats_[name] = state_.input(concat("stat.", name), kScalar);
    }
  }

  void add_hyper() {
    for (const auto& [name, value] : nn::optimizer_hyper(o_.optimizer, 0, 1))
      hyper_.push_back(b_.input("hyper." + name, kScalar));
  }

  void forward() {
    const Output output = loss_output(b_, model_values_.outputs.front(), o_.loss);
    const Value scores = ops::convert(b_, output.value, DType::f32);
    const Value labels = b_.input("labels", label_type(o_.loss, b_.type(scores)));
    weights_ = b_.input("weights", {DType::f32, {part_of_batch()}});
    step_ = b_.input("hyper.step", kScalar);
    if (updates()) add_hyper();
    losses_ = nn::loss_per_sample(b_, o_.loss, scores, output.form, labels);
    loss_sum_ = over_replicas(ops::reduce_sum(b_, ops::mul(b_, losses_, weights_), {0}));
    weight_sum_ = over_replicas(ops::reduce_sum(b_, weights_, {0}));
    if (nn::takes_classes(o_.loss)) counts_ = count_classes(b_, scores, labels);
    if (o_.loss.kind == "bce") counts_ = count_binary(b_, scores, output.form, labels);
    counts_ = {over_replicas(counts_.correct), over_replicas(counts_.top5)};
  }

  // Of the mean loss; while gathering, of the sum of losses.
  std::vector<Value> gradients() {
    std::vector<Value> wrt;
    for (const Trained& p : trained_) wrt.push_back(p.value);
    const bool whole = o_.part == StepOptions::whole;
    const Value seed = whole ? ops::div(b_, weights_, weight_sum_) : weights_;
    std::vector<Value> result = gradient(b_, losses_, wrt, seed);
    for (Value& g : result) g = over_replicas(g);
    if (whole) return result;
    const Value weight = ops::add(b_, gradient_weight_, weight_sum_);
    for (size_t i = 0; i < result.size(); ++i) {
      result[i] = ops::add(b_, trained_[i].sum, result[i]);
      if (o_.part == StepOptions::finish) result[i] = ops::div(b_, result[i], weight);
    }
    gradient_weight_ = weight;
    return result;
  }

  void update(std::vector<Value> gradients) {
    if (!updates()) {
      for (size_t i = 0; i < trained_.size(); ++i) state_.next("gradient." + trained_[i].name, gradients[i]);
      state_.next("gradient_weight", gradient_weight_);
      return;
    }
    const auto roles = parameter_roles(model_);
    for (size_t i = 0; i < trained_.size(); ++i) {
      if (o_.l1 == 0 || roles.at(trained_[i].name) != ParameterRole::weight) continue;
      gradients[i] = ops::add(b_, gradients[i], ops::mul(b_, ops::sign(b_, trained_[i].value), o_.l1));
    }
    if (o_.clip_norm > 0) clip(gradients);
    for (size_t i = 0; i < trained_.size(); ++i) {
      const Trained& p = trained_[i];
      const bool decay = roles.at(p.name) == ParameterRole::weight;
      const nn::Update next =
          nn::optimizer_update(b_, o_.optimizer, p.value, gradients[i], p.slots, hyper_, decay);
      state_.next("param." + p.name, next.parameter);
      const auto slots = nn::optimizer_slots(o_.optimizer);
      for (size_t s = 0; s < slots.size(); ++s)
        state_.next(concat("slot.", p.name, ".", slots[s]), next.slots[s]);
      if (p.average) {
        const Value kept = ops::mul(b_, p.average, o_.ema);
        state_.next("ema." + p.name, ops::add(b_, kept, ops::mul(b_, next.parameter, 1 - o_.ema)));
      }
      if (p.sum) state_.next("gradient." + p.name, ops::zeros(b_, b_.type(p.sum)));
    }
    if (o_.part == StepOptions::finish) state_.next("gradient_weight", b_.scalar(DType::f32, 0));
  }

  struct Trained {
    std::string name;
    Value value;
    std::vector<Value> slots = {};
    Value average = {}, sum = {};
  };

  void clip(std::vector<Value>& gradients) {
    Value squares;
    for (Value g : gradients) {
      Ints axes;
      for (int axis = 0; axis < b_.shape(g).rank(); ++axis) axes.push_back(axis);
      const Value sum = ops::reduce_sum(b_, ops::mul(b_, g, g), axes);
      squares = squares ? ops::add(b_, squares, sum) : sum;
    }
    const Value norm = ops::add(b_, ops::sqrt(b_, squares), 1e-6);
    const Value scale = ops::min(b_, ops::div(b_, b_.scalar(DType::f32, o_.clip_norm), norm), 1);
    for (Value& g : gradients) g = ops::mul(b_, g, scale);
  }

  void statistics() {
    const auto add = [&](const std::string& name, Value value) {
      state_.next("stat." + name, value ? ops::add(b_, stats_.at(name), value) : stats_.at(name));
    };
    add("loss", loss_sum_);
    add("weight", weight_sum_);
    add("correct", counts_.correct);
    add("top5", counts_.top5);
    const Value never = b_.scalar(DType::f32, std::numeric_limits<double>::infinity());
    const Value bad = ops::select(b_, ops::is_finite(b_, loss_sum_), never, step_);
    state_.next("stat.bad_step", ops::min(b_, stats_.at("bad_step"), bad));
  }

  const Type kScalar{DType::f32, {}};

  const Model& model_;
  const StepOptions& o_;
  Graph graph_;
  Builder b_;
  State state_;
  Inlined model_values_;
  std::vector<Trained> trained_;
  std::map<std::string, Value> stats_;
  Value weights_, step_, losses_, loss_sum_, weight_sum_, gradient_weight_;
  std::vector<Value> hyper_;
  Counts counts_;
};

bool ones_after(const Shape& shape, int axis) {
  return std::all_of(shape.begin() + axis + 1, shape.end(), [](const Dim& dim) { return dim == Dim(1); });
}

bool over_classes(const Shape& shape, const Attributes& attributes) {
  const auto axis = attributes.get<int64_t>("axis");
  return axis == shape.rank() - 1 || (axis == 1 && ones_after(shape, 1));
}

// What a person wants to read: probabilities, where the form is known.
Value readable(Builder& b, const Output& output, const nn::Loss& loss) {
  const Value value = ops::convert(b, output.value, DType::f32);
  if (output.form == nn::OutputForm::log_probabilities) return ops::exp(b, value);
  if (output.form == nn::OutputForm::probabilities) return value;
  if (nn::takes_classes(loss)) return ops::softmax(b, value, 1);
  return loss.kind == "bce" ? ops::sigmoid(b, value) : value;
}

}  // namespace

Graph build_step(const Model& model, const StepOptions& options) {
  return StepBuilder(model, options).build();
}

Graph build_update(const Model& model, const StepOptions& options) {
  return StepBuilder(model, options).build_update();
}

Graph build_eval(const Model& model, const EvalOptions& options) {
  Graph graph;
  Builder b(graph);
  const SymbolSizes sizes = batch_sizes(model, options.batch / options.replicas);
  const Inlined inlined = inline_model(b, model, model.graph);
  const Output output = loss_output(b, inlined.outputs.front(), options.loss);
  b.output("scores", readable(b, output, options.loss));
  if (options.with_loss) {
    const Value scores = ops::convert(b, output.value, DType::f32);
    const Value labels = b.input("labels", label_type(options.loss, b.type(scores)));
    b.output("loss", nn::loss_per_sample(b, options.loss, scores, output.form, labels));
  }
  return specialise_in_parts(finished(graph, options.precision), sizes);
}

SymbolSizes batch_sizes(const Model& model, int64_t batch) {
  SymbolSizes sizes;
  for (int position : data_inputs(model)) {
    const Port& port = model.graph.inputs[static_cast<size_t>(position)];
    const Shape& shape = model.graph.type(port.value).shape;
    if (shape.rank() == 0) continue;
    const Dim& dim = shape[0];
    const auto refuse = [&](std::string_view why) {
      throw Error(ErrorKind::invalid, concat("input ", port.name, " ", to_string(shape), ": ", why));
    };
    if (dim.is_static() && dim.size() != batch)
      refuse(concat("its batch is fixed, but a batch of ", batch, " is wanted"));
    if (dim.is_static()) continue;
    if (batch % dim.factor() != 0) refuse(concat("a batch of ", batch, " is no multiple of ", dim.factor()));
    sizes[std::string(dim.symbol_name())] = batch / dim.factor();
  }
  for (const Port& port : model.graph.inputs) {
    const Shape& shape = model.graph.type(port.value).shape;
    if (specialise(shape, sizes).is_static()) continue;
    throw Error(ErrorKind::invalid,
                concat("input ", port.name, " ", to_string(shape),
                       " has free dimensions besides the batch; fix them with --shape ", port.name, "=..."));
  }
  return sizes;
}

Graph with_batch(const Model& model, int64_t batch) {
  return specialise(model.graph, batch_sizes(model, batch));
}

Output loss_output(Builder& b, Value output, const nn::Loss& loss) {
  const Value whole = output;
  while (b.graph().node(output).op->name == "reshape") output = b.graph().node(output).inputs[0];
  const Node& node = b.graph().node(output);
  const std::string_view op = node.op->name;
  const bool soft =
      (op == "softmax" || op == "log_softmax") && over_classes(b.shape(output), node.attributes);
  const bool undone =
      (soft && nn::takes_classes(loss) && loss.kind != "nll") || (op == "sigmoid" && loss.kind == "bce");
  Output result;
  if (undone) {
    result.value = node.inputs[0];
  } else {
    result.value = whole;
    if (soft || op == "sigmoid") result.form = nn::OutputForm::probabilities;
    if (op == "log_softmax" || loss.kind == "nll") result.form = nn::OutputForm::log_probabilities;
    if (loss.kind == "nll" && op == "softmax" && soft) result.form = nn::OutputForm::probabilities;
  }
  if (result.value != whole && b.shape(whole).rank() == 2)
    result.value = ops::reshape(b, result.value, b.shape(whole));
  const Shape& shape = b.shape(result.value);
  if (shape.rank() > 2 && ones_after(shape, 1))
    result.value = ops::reshape(b, result.value, {shape[0], shape[1]});
  return result;
}

std::vector<std::string> shared_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Port& port : graph.inputs) {
    const std::string& name = port.name;
    if (name.starts_with("input.") || name == "labels" || name == "weights" || name == "replica")
      names.push_back(name);
  }
  for (const char* name : {"scores", "loss"})
    if (graph.find_output(name)) names.emplace_back(name);
  return names;
}

std::vector<std::string> state_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Donation& pair : graph.donations)
    names.push_back(graph.inputs[static_cast<size_t>(pair.input)].name);
  return names;
}

}  // namespace temper
