#include <algorithm>

#include "api/network_access.h"
#include "base/text.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "report/table.h"
#include "temper/error.h"
#include "temper/training.h"
#include "train/metrics.h"

namespace temper {

namespace {

// Rows of a tensor in memory.
class TensorSource : public SampleSource {
 public:
  explicit TensorSource(Tensor inputs) : inputs_(std::move(inputs)) {
    Shape shape;
    for (int axis = 1; axis < inputs_.shape().rank(); ++axis) shape.push_back(inputs_.shape()[axis]);
    shape_ = shape;
  }
  int64_t size() const override { return inputs_.shape().size(0); }
  std::string name(int64_t row) const override { return concat("row ", row); }
  bool has_pictures() const override { return false; }
  Shape value_shape() const override { return shape_; }
  void values(int64_t row, std::span<float> out) const override {
    const std::span<const float> all = inputs_.values<float>();
    std::copy_n(all.begin() + row * static_cast<int64_t>(out.size()), out.size(), out.begin());
  }

 private:
  Tensor inputs_;
  Shape shape_;
};

}  // namespace

struct Data::Body {
  Dataset dataset;
};

Data::Data(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Data::~Data() = default;
Data::Data(Data&&) noexcept = default;
Data& Data::operator=(Data&&) noexcept = default;

Data Data::open(const std::string& path, std::string_view split) {
  DataSplits splits = open_data({.data = path});
  std::optional<Dataset>* chosen = split == "train" ? &splits.train
                                   : split == "val" ? &splits.val
                                                    : &splits.test;
  if (split != "train" && split != "val" && split != "test")
    throw Error(ErrorKind::invalid, concat("expected the split train, val or test, found '", split, "'"));
  if (!*chosen) throw Error(ErrorKind::not_found, concat(path, " has no ", split, " samples"));
  return Data(std::make_unique<Body>(Body{std::move(**chosen)}));
}

Data Data::of(const Tensor& inputs, const Tensor& labels) {
  const bool fits =
      !inputs.empty() && !labels.empty() && inputs.dtype() == DType::f32 && inputs.shape().rank() >= 1 &&
      labels.shape().rank() >= 1 && labels.shape().rank() <= 2 &&
      inputs.shape().size(0) == labels.shape().size(0) &&
      (labels.dtype() == DType::i64 ? labels.shape().rank() == 1 : labels.dtype() == DType::f32);
  if (!fits)
    throw Error(ErrorKind::invalid,
                "expected inputs f32 [samples, ...] and labels i64 [samples] or f32 [samples, values]");
  auto body = std::make_unique<Body>();
  Dataset& dataset = body->dataset;
  const int64_t samples = inputs.shape().size(0);
  dataset.source = std::make_shared<TensorSource>(inputs);
  for (int64_t row = 0; row < samples; ++row) dataset.rows.push_back(row);
  if (labels.dtype() == DType::i64) {
    dataset.labels = to_int64s(labels);
    int64_t classes = 0;
    for (int64_t label : dataset.labels) {
      if (label < 0) throw Error(ErrorKind::invalid, concat("a label is ", label, ", expected at least 0"));
      classes = std::max(classes, label + 1);
    }
    for (int64_t i = 0; i < classes; ++i) dataset.classes.push_back(concat(i));
  } else {
    dataset.kind = TargetKind::numbers;
    const std::span<const float> values = labels.values<float>();
    dataset.targets.assign(values.begin(), values.end());
    dataset.target_width = labels.shape().rank() == 2 ? labels.shape().size(1) : 1;
  }
  return Data(std::move(body));
}

int64_t Data::size() const { return body_->dataset.size(); }
std::vector<std::string> Data::classes() const { return body_->dataset.classes; }

void Data::batches(const Network& network, int64_t batch, std::optional<uint64_t> shuffle,
                   const std::function<bool(const Batch&)>& use) const {
  LoaderOptions options;
  options.batch = batch;
  options.order = shuffle ? LoaderOptions::Order::shuffle : LoaderOptions::Order::as_stored;
  options.seed = shuffle.value_or(0);
  Loader loader(body_->dataset, NetworkAccess::body(network).model.preprocess.value_or(Preprocess{}),
                options);
  loader.start({});
  while (const std::optional<temper::Batch> next = loader.next()) {
    if (!use({next->images, next->labels})) return;
  }
}

ClassificationReport classification_report(Network& network, const Data& data, std::string_view device) {
  const std::vector<std::string> labels = network.labels().empty() ? data.classes() : network.labels();
  std::unique_ptr<Metrics> metrics;
  data.batches(network, 32, {}, [&](const Data::Batch& batch) {
    const Tensor scores = network.run({batch.inputs}, device)[0];
    const int64_t width = scores.elements() / scores.shape().size(0);
    if (!metrics) metrics = std::make_unique<Metrics>(Metrics::Kind::classes, width);
    const std::span<const int64_t> truths = batch.labels.values<int64_t>();
    for (size_t i = 0; i < truths.size(); ++i) {
      metrics->add(scores.values<float>().subspan(i * static_cast<size_t>(width), static_cast<size_t>(width)),
                   truths[i], 0);
    }
    return true;
  });
  if (!metrics) throw Error(ErrorKind::invalid, "no samples to report on");
  const Evaluation evaluation = metrics->result(labels);
  ClassificationReport report;
  report.accuracy = evaluation.accuracy;
  report.confusion = evaluation.confusion;
  for (const ClassScore& score : evaluation.classes)
    report.classes.push_back({score.label, score.precision, score.recall, score.f1, score.samples});
  return report;
}

std::string ClassificationReport::text() const {
  TextTable table({"class", "precision", "recall", "F1", "samples"});
  int64_t samples = 0;
  for (const ClassReport& score : classes) {
    table.row({score.label, percent_text(score.precision), percent_text(score.recall), percent_text(score.f1),
               count_text(score.samples)});
    samples += score.samples;
  }
  return concat(table.text(), "accuracy ", percent_text(accuracy), " of ", count_text(samples), " samples\n");
}

}  // namespace temper
