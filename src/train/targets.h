#pragma once
// What a loss compares with, for every sample of a data set.
#include <span>
#include <vector>

#include "data/dataset.h"
#include "nn/losses.h"
#include "temper/tensor.h"
#include "train/metrics.h"

namespace temper {

class Targets {
 public:
  // output: of the model, [n, ...]. Classes become one-hot rows for losses that want values; a single output
  // is the second of two classes. Error invalid says how data, loss and output disagree.
  Targets(const Dataset& dataset, const nn::Loss& loss, const Type& output);

  Metrics::Kind kind() const { return kind_; }
  int64_t width() const { return width_; }  // scores per sample

  // labels: i64[n] or f32[n, ...], on the host; writes the first samples.size() rows.
  void gather(std::span<const int64_t> samples, Tensor& labels) const;
  void score(Metrics& metrics, std::span<const float> scores, int64_t sample, double loss) const;

  std::string truth_text(int64_t sample, const std::vector<std::string>& labels) const;
  std::string prediction_text(std::span<const float> scores, const std::vector<std::string>& labels) const;

 private:
  Metrics::Kind kind_;
  int64_t width_;
  std::vector<int64_t> classes_;  // kind classes
  std::vector<float> values_;     // else: [samples, width]
};

// Name of a class; its index if there are too few names.
std::string label_name(const std::vector<std::string>& labels, int64_t index);

}  // namespace temper
