#include "train/open_model.h"

#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "formats/format.h"
#include "nn/models.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

std::map<std::string, Shape> parse_shapes(std::string_view text) {
  std::map<std::string, Shape> shapes;
  if (text.empty()) return shapes;
  for (std::string_view part : split(text, ',')) {
    const size_t equals = part.rfind('=');
    Shape shape;
    bool good = equals != std::string_view::npos && equals > 0;
    if (good) {
      for (std::string_view word : split(part.substr(equals + 1), 'x')) {
        int64_t size = 0;
        good = good && parse_number(word, size) && size > 0;
        shape.push_back(size);
      }
    }
    if (!good)
      throw Error(ErrorKind::invalid, concat("shape: expected NAME=1x3x224x224, found \"", part, "\""));
    shapes[std::string(part.substr(0, equals))] = shape;
  }
  return shapes;
}

[[noreturn]] void no_model(const std::string& name) {
  const std::string near = closest(name, nn::architectures());
  throw Error(
      ErrorKind::not_found,
      concat("there is no model \"", name, "\": neither a file nor one of ", join(nn::architectures(), ", "),
             near.empty() ? "" : "; did you mean ", near, near.empty() ? "" : "?"))
      .in_file(name);
}

Model architecture(const ModelSource& source, TrainEvents& events) {
  Model model = nn::build_model(source.model, source.seed);
  if (source.weights.empty()) {
    events.note(concat(source.model, " starts from random weights (--weights FILE gives it trained ones)"));
  } else {
    nn::load_parameters(model, read_parameters(source.weights));
  }
  return model;
}

Model file(const ModelSource& source, TrainEvents& events) {
  const std::string path = model_file(source.model);
  if (path.empty()) no_model(source.model);
  if (!source.weights.empty()) {
    throw Error(ErrorKind::invalid,
                concat("weights: ", source.model, " brings its own; --weights is for architectures"));
  }
  std::vector<std::string> notes;
  ReadOptions options;
  options.shapes = parse_shapes(source.shape);
  options.notes = &notes;
  options.other_files = source.other_files;
  Model model = read_model(path, options);
  for (const std::string& note : notes) events.note(note);
  if (model.graph.outputs.empty()) {
    throw Error(ErrorKind::invalid,
                concat(path, ": holds parameters but no graph; use it as --weights of an architecture"))
        .in_file(path);
  }
  return model;
}

std::vector<std::string> read_labels(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw Error(ErrorKind::not_found, concat("labels: cannot read ", path)).in_file(path);
  std::vector<std::string> labels;
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    labels.push_back(line);
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (labels.empty()) throw Error(ErrorKind::invalid, concat("labels: ", path, " is empty")).in_file(path);
  return labels;
}

// The names must be as many as the scores; two of them may name the ends of one score.
void check_labels(const Model& model, const std::string& path) {
  const Shape& scores = model.graph.type(model.graph.outputs[0].value).shape;
  if (scores.rank() != 2 || !scores[1].is_static()) return;
  const auto names = static_cast<int64_t>(model.labels.size());
  if (names == scores.size(1) || (names == 2 && scores.size(1) == 1)) return;
  throw Error(ErrorKind::invalid,
              concat("labels: ", path, " holds ", names, " names, one a line, but the model gives ",
                     scores.size(1), " scores"))
      .in_file(path);
}

// Height and width of the model's picture input; 0 where free.
std::pair<int, int> picture_size(const Model& model) {
  const std::vector<int> data = data_inputs(model);
  if (data.empty()) return {0, 0};
  const Shape& shape = model.graph.type(model.graph.inputs[static_cast<size_t>(data.front())].value).shape;
  const auto size = [&](int axis) {
    return shape.rank() == 4 && shape[axis].is_static() && shape.size(axis) < (1 << 20)
               ? static_cast<int>(shape.size(axis))
               : 0;
  };
  return {size(2), size(3)};
}

}  // namespace

std::string model_file(const std::string& model) {
  if (!fs::exists(model)) return {};
  if (!fs::is_directory(model) || model.ends_with(".temper") || model.ends_with(".temper/")) return model;
  const fs::path inside = fs::path(model) / "model.onnx";
  if (fs::exists(inside)) return inside.string();
  throw Error(ErrorKind::not_found, concat(model, ": the folder holds no model.onnx; name the model's file"))
      .in_file(model);
}

Model open_model(const ModelSource& source, TrainEvents& events) {
  // A file may have the name of an architecture; then the file is meant, if it says so by a path.
  const bool built_in = nn::is_architecture(source.model) && !fs::exists(source.model);
  Model model = built_in ? architecture(source, events) : file(source, events);
  if (!source.preprocess.empty()) {
    const auto [height, width] = picture_size(model);
    model.preprocess = parse_preprocess(source.preprocess, height, width);
  }
  if (!source.labels.empty()) {
    model.labels = read_labels(source.labels);
    check_labels(model, source.labels);
  }
  return model;
}

}  // namespace temper
