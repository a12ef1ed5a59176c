#include "train/targets.h"

#include <algorithm>

#include "base/text.h"

namespace temper {
namespace {

[[noreturn]] void disagree(const nn::Loss& loss, const Type& output, std::string_view data) {
  throw Error(ErrorKind::invalid,
              concat("the data has ", data, ", but the model's output is ", to_string(output),
                     " and the loss ", loss.kind, "; give a new head (--head) or another --loss"));
}

int64_t row_elements(const Type& output) {
  int64_t elements = 1;
  for (int axis = 1; axis < output.shape.rank(); ++axis) elements *= output.shape.size(axis);
  return elements;
}

std::vector<float> one_hot(const std::vector<int64_t>& labels, int64_t width) {
  std::vector<float> rows(labels.size() * static_cast<size_t>(width));
  for (size_t i = 0; i < labels.size(); ++i) {
    if (width == 1)
      rows[i] = static_cast<float>(labels[i]);
    else
      rows[i * static_cast<size_t>(width) + static_cast<size_t>(labels[i])] = 1;
  }
  return rows;
}

}  // namespace

std::string label_name(const std::vector<std::string>& labels, int64_t index) {
  return index < static_cast<int64_t>(labels.size()) ? labels[static_cast<size_t>(index)] : concat(index);
}

Targets::Targets(const Dataset& dataset, const nn::Loss& loss, const Type& output)
    : width_(row_elements(output)) {
  if (dataset.kind == TargetKind::classes) {
    const int64_t highest = dataset.labels.empty() ? 0 : *std::ranges::max_element(dataset.labels);
    const bool binary = width_ == 1 && highest <= 1 && !nn::takes_classes(loss);
    if (highest >= width_ && !binary) disagree(loss, output, concat(highest + 1, " classes"));
    if (nn::takes_classes(loss)) {
      kind_ = Metrics::Kind::classes;
      classes_ = dataset.labels;
      return;
    }
    kind_ = loss.kind == "bce" ? Metrics::Kind::several : Metrics::Kind::values;
    values_ = one_hot(dataset.labels, width_);
    return;
  }
  const bool several = dataset.kind == TargetKind::several;
  if (nn::takes_classes(loss)) disagree(loss, output, several ? "several labels a sample" : "numbers");
  if (dataset.target_width != width_) {
    disagree(loss, output, concat(dataset.target_width, several ? " labels a sample" : " numbers a sample"));
  }
  kind_ = several && loss.kind == "bce" ? Metrics::Kind::several : Metrics::Kind::values;
  values_ = dataset.targets;
}

void Targets::gather(std::span<const int64_t> samples, Tensor& labels) const {
  if (kind_ == Metrics::Kind::classes) {
    auto out = labels.mutable_values<int64_t>();
    for (size_t i = 0; i < samples.size(); ++i) out[i] = classes_[static_cast<size_t>(samples[i])];
    return;
  }
  auto out = labels.mutable_values<float>();
  const auto width = static_cast<size_t>(width_);
  for (size_t i = 0; i < samples.size(); ++i) {
    std::copy_n(values_.begin() + samples[i] * width_, width,
                out.begin() + static_cast<std::ptrdiff_t>(i * width));
  }
}

void Targets::score(Metrics& metrics, std::span<const float> scores, int64_t sample, double loss) const {
  if (kind_ == Metrics::Kind::classes)
    return metrics.add(scores, classes_[static_cast<size_t>(sample)], loss);
  metrics.add(scores,
              std::span(values_).subspan(static_cast<size_t>(sample * width_), static_cast<size_t>(width_)),
              loss);
}

std::string Targets::truth_text(int64_t sample, const std::vector<std::string>& labels) const {
  if (kind_ == Metrics::Kind::classes) return label_name(labels, classes_[static_cast<size_t>(sample)]);
  const auto row =
      std::span(values_).subspan(static_cast<size_t>(sample * width_), static_cast<size_t>(width_));
  if (kind_ == Metrics::Kind::several) return prediction_text(row, labels);
  return join(row, ";");
}

std::string Targets::prediction_text(std::span<const float> scores,
                                     const std::vector<std::string>& labels) const {
  if (kind_ == Metrics::Kind::classes) return label_name(labels, best_index(scores));
  if (kind_ == Metrics::Kind::values) return join(scores, ";");
  std::vector<std::string> names;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > 0.5f) names.push_back(label_name(labels, static_cast<int64_t>(i)));
  }
  return join(names, ";");
}

}  // namespace temper
