#include "train/predict.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>

#include "base/text.h"
#include "base/threads.h"
#include "data/decode.h"
#include "data/preprocess.h"
#include "train/batches.h"
#include "train/inference_model.h"
#include "train/machine.h"
#include "train/open_model.h"
#include "train/session.h"
#include "train/setup.h"
#include "train/step.h"

namespace temper {

namespace fs = std::filesystem;

struct Predictor::Loaded {
  PredictOptions options;
  CompileOptions compile;
  Model model;  // folded
  Preprocess preprocess;
  std::string input;
  DeviceState state;
  std::map<int64_t, std::unique_ptr<BoundProgram>> programs;  // by batch

  BoundProgram& program(int64_t batch) {
    auto& found = programs[batch];
    if (!found) {
      const Graph graph = build_eval(model, {.batch = batch, .with_loss = false});
      found = std::make_unique<BoundProgram>(state, graph, compile);
    }
    return *found;
  }
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

}  // namespace

Predictor::Predictor(const PredictOptions& options, TrainEvents& events) {
  const DType precision = choose_precision("precision", options.precision, "predict");
  if (options.batch < 1)
    throw Error(ErrorKind::invalid, concat("batch: expected at least 1, found ", options.batch));
  Device& device = choose_device(options.device);
  CompileOptions compile;
  compile.threads = choose_threads(options.threads);
  compile.memory_limit = options.memory;
  const Model model = open_model(
      {options.model, options.weights, options.shape, options.preprocess, options.labels, 0}, events);
  const Preprocess preprocess = preprocess_of(model);
  Model folded = inference_model(device, model, precision, options.calibrate, 0, compile);
  const std::vector<int> data = data_inputs(folded);
  if (data.size() != 1) {
    throw Error(ErrorKind::unsupported,
                concat("the model has ", data.size(), " data inputs; predict feeds one picture"));
  }
  const std::string input = folded.graph.inputs[static_cast<size_t>(data.front())].name;
  loaded_ = std::make_unique<Loaded>(
      Loaded{options, compile, std::move(folded), preprocess, input, DeviceState(device), {}});
  for (const auto& [name, tensor] : loaded_->model.parameters) loaded_->state.set("param." + name, tensor);
}

Predictor::~Predictor() = default;

int64_t Predictor::batch() const { return loaded_->options.batch; }

std::vector<Prediction> Predictor::predict(std::span<const std::string> files) {
  Loaded& l = *loaded_;
  std::vector<Prediction> predictions(files.size());
  // In colour even for `gray`, which comes after scaling: the same pixels as tune and eval see.
  const DecodeOptions decoding{.min_short_side = wanted_short_side(l.preprocess)};
  for (size_t first = 0; first < files.size(); first += static_cast<size_t>(batch())) {
    const size_t count = std::min(files.size() - first, static_cast<size_t>(batch()));
    std::vector<Tensor> pictures(count);
    parallel_for_each(static_cast<int64_t>(count), [&](int64_t i) {
      const size_t at = first + static_cast<size_t>(i);
      predictions[at].file = files[at];
      try {
        Tensor picture = picture_to_tensor(read_image(files[at], decoding), l.preprocess);
        check_input(l.model, picture.shape());
        pictures[static_cast<size_t>(i)] = std::move(picture);
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
    if (read == 0) continue;
    BoundProgram& program = l.program(count == 1 ? 1 : batch());
    fill_rows(program, "input." + l.input, rows.data(), read, static_cast<int64_t>(rows.size()) / read);
    program.run();
    const Tensor scores = program.host_output("scores");
    const auto width = static_cast<size_t>(scores.elements() / scores.shape().size(0));
    for (size_t i = 0, row = 0; i < count; ++i) {
      if (pictures[i].empty()) continue;
      const auto own = scores.values<float>().subspan(row++ * width, width);
      predictions[first + i].top = best_scores(own, l.model.labels, l.options);
    }
  }
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
