#include "train/predict.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/threads.h"
#include "data/decode.h"
#include "data/preprocess.h"
#include "ir/builder.h"
#include "nn/models.h"
#include "train/auto_device.h"
#include "train/batches.h"
#include "train/inference_model.h"
#include "train/machine.h"
#include "train/open_model.h"
#include "train/programs.h"
#include "train/ready_cache.h"
#include "train/session.h"
#include "train/setup.h"
#include "train/step.h"

namespace temper {

namespace fs = std::filesystem;

// A program for one batch size, and what must be known of the model to feed it.
struct Predictor::Ready {
  explicit Ready(Device& device) : state(device) {}
  DeviceState state;
  std::unique_ptr<BoundProgram> program;
  Model about;  // the data input, labels and preprocessing
  std::vector<std::string> notes;
  std::unique_ptr<ReadyCache> cache;  // where it is not yet

  const std::string& input() const { return about.graph.inputs.front().name; }
};

struct Predictor::Loaded {
  PredictOptions options;
  Device& device;
  CompileOptions compile;
  DType precision;
  std::optional<Model> model = {};  // folded; opened when a program must be made
  std::vector<std::string> notes = {};
  std::map<int64_t, std::unique_ptr<Ready>> ready = {};  // by batch

  Ready& program(int64_t batch, TrainEvents& events);
  void predict(std::span<const std::string> files, std::span<Prediction> predictions);
  void keep();

 private:
  std::unique_ptr<ReadyCache> cache(int64_t batch) const;
  bool take(Ready& ready, TrainEvents& events) const;
  bool open(TrainEvents& events);
};

namespace {

std::vector<Score> best_scores(std::span<const float> scores, const std::vector<std::string>& labels,
                               const PredictOptions& options) {
  std::vector<float> both;
  if (scores.size() == 1 && labels.size() == 2) {  // one output that tells two classes apart
    both = {1 - scores[0], scores[0]};
    scores = both;
  }
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto top =
      static_cast<size_t>(std::clamp<int64_t>(options.top, 0, static_cast<int64_t>(order.size())));
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(),
      [&](size_t a, size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  std::vector<Score> result;
  for (size_t i = 0; i < top && scores[order[i]] >= options.threshold; ++i) {
    const auto index = static_cast<int64_t>(order[i]);
    result.push_back({label_name(labels, index), index, scores[order[i]]});
  }
  return result;
}

// The model without nodes and parameters.
Model about(const Model& model) {
  Model result{.preprocess = model.preprocess, .labels = model.labels};
  Builder builder(result.graph);
  for (const int at : data_inputs(model)) {
    const Port& port = model.graph.inputs[static_cast<size_t>(at)];
    builder.input(port.name, model.graph.type(port.value));
  }
  return result;
}

// Passes on what is said, and remembers it.
class Listening : public TrainEvents {
 public:
  Listening(TrainEvents& to, std::vector<std::string>& notes) : to_(to), notes_(notes) {}
  void note(std::string_view text) override {
    notes_.emplace_back(text);
    to_.note(text);
  }
  void warning(std::string_view text) override { to_.warning(text); }

 private:
  TrainEvents& to_;
  std::vector<std::string>& notes_;
};

}  // namespace

// Null for what is in no file, for int8, whose ranges come from other files, and for a model that is open
// already: its file may be another by now.
std::unique_ptr<ReadyCache> Predictor::Loaded::cache(int64_t batch) const {
  const bool built_in = nn::is_architecture(options.model) && !fs::exists(options.model);
  if (built_in || model || !options.weights.empty() || precision == DType::i8) return nullptr;
  const std::string file = model_file(options.model);
  if (file.empty() || !fs::is_regular_file(file)) return nullptr;
  if (!options.labels.empty() && !fs::is_regular_file(options.labels)) return nullptr;
  const uint64_t labels = options.labels.empty() ? 0 : hash_bytes(MappedFile(options.labels).text());
  return std::make_unique<ReadyCache>(
      device, file,
      concat("predict 1\n", options.shape, "\n", options.preprocess, "\n", labels, "\n", options.precision,
             " ", batch, " ", compile.threads, " ", compile.memory_limit));
}

bool Predictor::Loaded::take(Ready& ready, TrainEvents& events) const {
  try {
    std::optional<ReadyProgram> found = ready.cache->find();
    if (!found) return false;
    for (const auto& [name, tensor] : found->parameters) ready.state.adopt(name, tensor);
    ready.program = std::make_unique<BoundProgram>(
        ready.state, std::make_shared<const Program>(std::move(found->program)));
    ready.about = std::move(found->about);
    for (const std::string& note : found->notes) events.note(note);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt) throw;
    events.note(concat("a kept program is damaged and made again: ", error.what()));
    return false;
  }
}

// Whether all of it is in its one file.
bool Predictor::Loaded::open(TrainEvents& events) {
  std::vector<std::string> other_files;
  Listening listening(events, notes);
  const Model opened = open_model(
      {options.model, options.weights, options.shape, options.preprocess, options.labels, 0, &other_files},
      listening);
  preprocess_of(opened);  // or an error, before work begins
  Model folded = inference_model(device, opened, precision, options.calibrate, 0, compile);
  if (const size_t inputs = data_inputs(folded).size(); inputs != 1) {
    throw Error(ErrorKind::unsupported,
                concat("the model has ", inputs, " data inputs; predict feeds one picture"));
  }
  model = std::move(folded);
  return other_files.empty();
}

Predictor::Ready& Predictor::Loaded::program(int64_t batch, TrainEvents& events) {
  std::unique_ptr<Ready>& found = ready[batch];
  if (found) return *found;
  auto fresh = std::make_unique<Ready>(device);
  fresh->cache = cache(batch);
  if (fresh->cache && take(*fresh, events)) {
    fresh->cache.reset();
    return *(found = std::move(fresh));
  }
  if (!model && !open(events)) fresh->cache.reset();
  for (const auto& [name, tensor] : model->parameters) fresh->state.set("param." + name, tensor);
  fresh->about = about(*model);
  fresh->notes = notes;
  const Port& input = model->graph.inputs[static_cast<size_t>(data_inputs(*model).front())];
  const bool any_batch = !model->graph.type(input.value).shape.is_static();
  EvalOptions wanted;
  wanted.batch = batch;
  wanted.with_loss = false;
  wanted.replicas = any_batch ? replicas_for(device, batch) : 1;
  const Graph graph = build_eval(*model, wanted);
  CompileOptions alone = compile;
  share_out(graph, wanted.replicas, alone);
  alone.sole_reader = true;  // of a state of its own
  fresh->program = std::make_unique<BoundProgram>(fresh->state, graph, alone);
  return *(found = std::move(fresh));
}

Predictor::Predictor(const PredictOptions& options, TrainEvents& events) {
  const DType precision = choose_precision("precision", options.precision, "predict");
  if (options.batch < 1)
    throw Error(ErrorKind::invalid, concat("batch: expected at least 1, found ", options.batch));
  CompileOptions compile;
  const std::vector<Device*> devices = choose_devices(known_device(options.device, options.model));
  compile.threads = choose_threads(options.threads);
  compile.memory_limit = options.memory;
  TrainEvents silent;
  for (Device* const device : devices) {
    loaded_.push_back(std::make_unique<Loaded>(Loaded{options, *device, compile, precision}));
    loaded_.back()->program(options.batch, loaded_.size() == 1 ? events : silent);
  }
  shares_ = std::make_unique<WorkShares>(devices.size());
}

Predictor::~Predictor() = default;

int64_t Predictor::batch() const {
  // Of several devices: so much that what one waits for the others in the end is little.
  constexpr int64_t kRounds = 8;
  const auto devices = static_cast<int64_t>(loaded_.size());
  return loaded_[0]->options.batch * (devices > 1 ? devices * kRounds : 1);
}

void Predictor::keep() {
  for (const std::unique_ptr<Loaded>& loaded : loaded_) loaded->keep();
}

void Predictor::Loaded::keep() {
  for (const auto& [batch, one] : ready) {
    if (!one || !one->cache) continue;
    ReadyProgram kept{one->program->program(), {}, one->about, one->notes};
    for (const Argument& input : kept.program.inputs) {
      if (!one->state.contains(input.name)) continue;
      const Tensor& tensor = one->state.at(input.name);
      if (tensor.on_host()) return;  // it never ran
      kept.parameters.emplace(input.name, tensor);
    }
    one->cache->keep(kept);
    one->cache.reset();
  }
}

// One batch at most.
void Predictor::Loaded::predict(std::span<const std::string> files, std::span<Prediction> predictions) {
  TrainEvents silent;
  Ready& own = program(files.size() == 1 ? 1 : options.batch, silent);
  const Preprocess preprocess = preprocess_of(own.about);
  // In colour even for `gray`, which comes after scaling: the same pixels as tune and eval see.
  const DecodeOptions decoding{.min_short_side = wanted_short_side(preprocess)};
  std::vector<Tensor> pictures(files.size());
  parallel_for_each(static_cast<int64_t>(files.size()), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    predictions[at].file = files[at];
    try {
      Tensor picture = picture_to_tensor(read_image(files[at], decoding), preprocess);
      check_input(own.about, picture.shape());
      pictures[at] = std::move(picture);
    } catch (const Error& error) {
      predictions[at].error = error;
    }
  });
  std::vector<std::byte> rows;
  int64_t read = 0;
  for (const Tensor& picture : pictures) {
    if (picture.empty()) continue;
    rows.insert(rows.end(), picture.data(), picture.data() + picture.bytes());
    ++read;
  }
  if (read == 0) return;
  fill_rows(*own.program, "input." + own.input(), rows.data(), read,
            static_cast<int64_t>(rows.size()) / read);
  own.program->run();
  const Tensor scores = own.program->host_output("scores");
  const auto width = static_cast<size_t>(scores.elements() / scores.shape().size(0));
  for (size_t i = 0, row = 0; i < files.size(); ++i) {
    if (pictures[i].empty()) continue;
    predictions[i].top =
        best_scores(scores.values<float>().subspan(row++ * width, width), own.about.labels, options);
  }
}

std::vector<Prediction> Predictor::predict(std::span<const std::string> files) {
  std::vector<Prediction> predictions(files.size());
  const auto batch = static_cast<size_t>(loaded_[0]->options.batch);
  const auto batches = static_cast<int64_t>((files.size() + batch - 1) / batch);
  const auto predict_batch = [&](size_t device, int64_t number) {
    const size_t first = static_cast<size_t>(number) * batch, count = std::min(files.size() - first, batch);
    loaded_[device]->predict(files.subspan(first, count), std::span(predictions).subspan(first, count));
  };
  if (loaded_.size() == 1 || batches == 1) {
    for (int64_t number = 0; number < batches; ++number) predict_batch(0, number);
    return predictions;
  }
  share_work(*shares_, loaded_.size(), batches, {.work = [&](size_t device, int64_t number) {
    try {
      predict_batch(device, number);
    } catch (const Error& error) {
      throw Error(error.kind(), concat("device `", loaded_[device]->device.name(), "`: ", error.what()));
    }
  }});
  return predictions;
}

std::vector<std::string> picture_files(const std::string& path) {
  if (!fs::exists(path))
    throw Error(ErrorKind::not_found, concat(path, ": no such file or folder")).in_file(path);
  if (!fs::is_directory(path)) return {path};
  std::vector<std::string> files;
  try {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file() && is_picture_name(entry.path().string()))
        files.push_back(entry.path().string());
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::invalid, concat(path, ": cannot read the folder: ", error.code().message()))
        .in_file(path);
  }
  if (files.empty())
    throw Error(ErrorKind::not_found, concat(path, ": the folder holds no pictures")).in_file(path);
  std::ranges::sort(files);
  return files;
}

}  // namespace temper
