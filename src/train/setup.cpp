#include "train/setup.h"

#include <algorithm>

#include "base/text.h"
#include "nn/head.h"
#include "nn/models.h"
#include "train/auto_device.h"
#include "train/machine.h"
#include "train/open_model.h"
#include "train/trainable.h"

namespace temper {
namespace {

void refuse_what_is_not_there_yet(const Recipe& recipe) {
  choose_precision("precision", recipe.precision, "tune", true);
  choose_precision("frozen-precision", recipe.frozen_precision, "tune");
  if (recipe.insert_norm) {
    throw Error(ErrorKind::unsupported,
                "insert-norm: inserting norms is not supported by tune; use a model that still has them");
  }
  if (recipe.views > 0 && recipe.augment.empty()) {
    throw Error(ErrorKind::invalid, "views: without --augment all views of a sample are the same");
  }
}

Dataset& training_data(DataSplits& data, const std::string& name) {
  if (!data.train)
    throw Error(ErrorKind::invalid, concat("data: ", name, " has nothing to train on")).in_file(name);
  return *data.train;
}

const Shape& output_shape(const Model& model) {
  return model.graph.type(model.graph.outputs.front().value).shape;
}

int64_t output_width(const Model& model) {
  const Shape& shape = output_shape(model);
  int64_t width = 1;
  for (int axis = 1; axis < shape.rank(); ++axis) width *= shape[axis].is_static() ? shape.size(axis) : 0;
  return width;
}

bool same_names(std::vector<std::string> a, std::vector<std::string> b) {
  std::ranges::sort(a);
  std::ranges::sort(b);
  return a == b;
}

// Whether the model's own last layer suits the data.
bool head_fits(const Model& model, const Dataset& dataset) {
  const auto width = static_cast<size_t>(output_width(model));
  if (dataset.kind == TargetKind::numbers) return output_width(model) == dataset.target_width;
  if (!model.labels.empty()) return same_names(model.labels, dataset.classes) && width == model.labels.size();
  const bool binary = width == 1 && dataset.classes.size() == 2;
  return binary || width == dataset.classes.size();
}

// The new head's parameters; none if the old one stays.
std::vector<std::string> give_head(Setup& s, TrainEvents& events) {
  const Recipe& recipe = s.recipe;
  const Dataset& train = *s.data.train;
  const int64_t width =
      train.kind == TargetKind::numbers ? train.target_width : static_cast<int64_t>(train.classes.size());
  if (!recipe.head.empty()) {
    const nn::Cut cut = recipe.cut.empty() ? nn::default_cut(s.model) : nn::find_cut(s.model, recipe.cut);
    nn::NewHead head =
        nn::attach_head(s.model, cut, nn::parse_head(recipe.head), width, static_cast<uint64_t>(recipe.seed));
    events.note(concat("new head ", head.steps, " on ", cut.name, " ", to_string(head.shape)));
    s.recipe.cut = cut.name;
    return head.parameters;
  }
  if (!recipe.cut.empty())
    throw Error(ErrorKind::invalid, "cut: says where a new head is attached; give one with --head");
  if (head_fits(s.model, train)) return {};
  const int64_t before = output_width(s.model);
  nn::NewHead head = nn::replace_last_dense(s.model, width, static_cast<uint64_t>(recipe.seed));
  events.note(concat("the last dense layer is new: the model has ", before, " outputs of its own, the data ",
                     width, train.kind == TargetKind::numbers ? " numbers" : " classes"));
  return head.parameters;
}

void choose_head(Setup& s, TrainEvents& events) {
  const std::vector<std::string> head = give_head(s, events);
  s.new_head = !head.empty();
  if (s.new_head) {
    s.model.labels = s.data.train->classes;
  } else {
    match_labels(s.data, s.model, events);
    if (s.model.labels.empty()) s.model.labels = s.data.train->classes;
  }
  Recipe& r = s.recipe;
  if (r.trainable.empty()) r.trainable = s.new_head ? "head" : "all";
  if (!r.lr) r.lr = s.new_head ? 1e-3 : 1e-4;
  s.trainable = trainable_parameters(s.model, r.trainable, r.freeze, head);
}

void warn_of_folded_norms(const Setup& s, TrainEvents& events) {
  const bool convolutions =
      std::ranges::any_of(s.model.graph.nodes(), [](const Node& n) { return n.op->name == "conv2d"; });
  if (s.recipe.trainable != "all" || has_norms(s.model) || !convolutions ||
      nn::is_architecture(s.recipe.model))
    return;
  events.warning(
      "all parameters train, but the model has no norms (folded into its convolutions): a small learning "
      "rate, "
      "or --trainable head, is safer");
}

void choose_monitor(Recipe& recipe, const DataSplits& data) {
  if (recipe.monitor.empty() && data.val) recipe.monitor = "val.loss";
  if (recipe.monitor.starts_with("val.") && !data.val) {
    throw Error(ErrorKind::invalid,
                concat("monitor: ", recipe.monitor, " needs validation data; give --val or --val-split"));
  }
}

void choose_loss(Setup& s) {
  Recipe& r = s.recipe;
  if (r.loss.empty()) r.loss = default_loss(*s.data.train, s.model).kind;
  s.loss = {.kind = r.loss, .label_smoothing = r.label_smoothing};
  if (r.label_smoothing > 0 && r.loss != "cross-entropy" && r.loss != "bce") {
    throw Error(ErrorKind::invalid,
                concat("label-smoothing: the loss ", r.loss, " has no classes to smooth over"));
  }
  if (!r.class_weights.empty()) s.class_weights = class_weights(*s.data.train, r.class_weights);
}

nn::Optimizer optimizer_of(const Recipe& r) {
  nn::Optimizer optimizer{.kind = r.optimizer, .momentum = r.momentum, .nesterov = r.nesterov};
  optimizer.weight_decay = r.weight_decay;
  if (r.optimizer == "adagrad") optimizer.epsilon = 1e-10;
  return optimizer;
}

void choose_schedule(Setup& s) {
  const Recipe& r = s.recipe;
  const int64_t batches = (s.data.train->size() + r.batch - 1) / r.batch;
  s.schedule.lr = *r.lr;
  s.schedule.warmup = r.warmup;
  s.schedule.steps_per_epoch = (batches + r.accumulate - 1) / r.accumulate;
  s.schedule.total_steps = s.schedule.steps_per_epoch * r.epochs;
}

}  // namespace

StepOptions step_options(const Setup& setup) {
  const Recipe& r = setup.recipe;
  StepOptions options;
  options.batch = r.batch;
  options.trainable = setup.trainable;
  options.loss = setup.loss;
  options.optimizer = setup.optimizer;
  options.l1 = r.l1, options.clip_norm = r.clip_norm, options.ema = r.ema;
  options.precision = choose_precision("precision", r.precision, "tune", true);
  options.sync_norm = r.sync_norm;
  options.part = r.accumulate > 1 ? StepOptions::finish : StepOptions::whole;
  return options;
}

Preprocess preprocess_of(const Model& model) {
  if (model.preprocess) return *model.preprocess;
  throw Error(ErrorKind::invalid,
              "preprocess: the model does not say how a picture becomes its input; give --preprocess torch, "
              "tf, caffe or raw, or steps such as size:224x224,unit");
}

Preprocess preprocess_for(const Model& model, const Dataset& dataset) {
  return dataset.source->has_pictures() ? preprocess_of(model) : Preprocess();
}

void check_input(const Model& model, const Shape& sample) {
  const std::vector<int> data = data_inputs(model);
  if (data.size() != 1) {
    throw Error(ErrorKind::unsupported,
                concat("the model has ", data.size(), " data inputs; data sets feed exactly one"));
  }
  const Port& port = model.graph.inputs[static_cast<size_t>(data.front())];
  const Type& type = model.graph.type(port.value);
  bool fits = type.dtype == DType::f32 && type.shape.rank() > 0;
  int64_t elements = 1;
  for (int axis = 1; fits && axis < type.shape.rank(); ++axis) {
    fits = type.shape[axis].is_static();
    if (fits) elements *= type.shape.size(axis);
  }
  if (fits && elements == sample.elements()) return;
  throw Error(ErrorKind::invalid,
              concat("a sample of the data is f32", to_string(sample), ", but input ", port.name,
                     " of the model is ", to_string(type), "; see --preprocess"));
}

void match_labels(DataSplits& data, const Model& model, TrainEvents& events) {
  const Dataset* any = data.train ? &*data.train : data.test ? &*data.test : data.val ? &*data.val : nullptr;
  if (!any || any->kind == TargetKind::numbers) return;
  if (!model.labels.empty()) return use_labels(data, model.labels);
  const int64_t width = output_width(model);
  if (width > 1 && static_cast<int64_t>(any->classes.size()) > width) {
    throw Error(ErrorKind::invalid,
                concat("the data has ", any->classes.size(), " classes, the model ", width, " outputs"));
  }
  events.note("the model has no labels: classes go by index");
}

nn::Loss default_loss(const Dataset& dataset, const Model& model) {
  if (dataset.kind == TargetKind::numbers) return {.kind = "mse"};
  const bool several = dataset.kind == TargetKind::several || output_width(model) == 1;
  return {.kind = several ? "bce" : "cross-entropy"};
}

Setup prepare(const Recipe& recipe, TrainEvents& events) {
  check(recipe);
  refuse_what_is_not_there_yet(recipe);
  Setup s;
  s.recipe = recipe;
  s.schedule = nn::parse_schedule(recipe.schedule, recipe.epochs);
  if (!recipe.augment.empty()) s.augment = parse_augment(recipe.augment);
  if (!recipe.head.empty()) nn::parse_head(recipe.head);
  const DeviceRoles roles = choose_roles(recipe.device);
  s.device = roles.head, s.frozen_device = roles.frozen, s.roles = roles.named;
  s.compile.threads = choose_threads(recipe.threads);
  s.compile.memory_limit = recipe.memory;

  const auto seed = static_cast<uint64_t>(recipe.seed);
  s.data = open_data({.data = recipe.data,
                      .val = recipe.val,
                      .test = recipe.test,
                      .val_split = recipe.val_split,
                      .seed = seed});
  const Dataset& train = training_data(s.data, recipe.data);
  s.model = open_model({recipe.model, recipe.weights, recipe.shape, recipe.preprocess, recipe.labels, seed},
                       events);
  s.preprocess = preprocess_for(s.model, train);
  if (!s.preprocess.steps.empty()) s.recipe.preprocess = to_string(s.preprocess);
  choose_head(s, events);
  choose_loss(s);
  choose_monitor(s.recipe, s.data);
  choose_schedule(s);
  s.optimizer = optimizer_of(s.recipe);
  warn_of_folded_norms(s, events);
  if (is_auto(recipe.device)) {
    s.device = s.frozen_device = &auto_device(s, events);
    if (s.device->name() != "cpu") s.recipe.device = s.device->name();
  }
  return s;
}

}  // namespace temper
