#include "nn/losses.h"

#include "base/text.h"
#include "ops/composites.h"
#include "ops/primitives.h"

namespace temper::nn {
namespace {

constexpr double kClosest = 1e-7;  // of a probability to 0 and 1

void want_classes(const Loss& loss, const Type& output) {
  if (output.shape.rank() == 2) return;
  throw Error(ErrorKind::invalid,
              concat("loss ", loss.kind, ": expected a model output of shape [batch, classes], found ",
                     to_string(output)));
}

void want_equal(const Loss& loss, const Type& output, const Type& labels) {
  if (output == labels) return;
  throw Error(ErrorKind::invalid,
              concat("loss ", loss.kind, ": the model's output is ", to_string(output),
                     ", the data's labels are ", to_string(labels), "; their shapes must agree"));
}

Value log_probabilities(Builder& b, Value output, OutputForm form) {
  if (form == OutputForm::logits) return ops::log_softmax(b, output, 1);
  return form == OutputForm::probabilities ? ops::log(b, ops::max(b, output, kClosest)) : output;
}

// Mean over all axes but the first.
Value mean_per_sample(Builder& b, Value x) {
  Ints axes;
  for (int axis = 1; axis < b.shape(x).rank(); ++axis) axes.push_back(axis);
  return axes.empty() ? x : ops::reduce_mean(b, x, axes);
}

// Of each row: -sum over classes of log p times the given shares.
Value from_shares(Builder& b, Value logs, Value shares, double smoothing) {
  if (smoothing != 0) {
    const auto classes = static_cast<double>(b.shape(logs).size(1));
    shares = ops::add(b, ops::mul(b, shares, 1 - smoothing), smoothing / classes);
  }
  return ops::neg(b, ops::reduce_sum(b, ops::mul(b, shares, logs), {1}));
}

// -sum over classes of target * log p, the target smoothed.
Value from_log_probabilities(Builder& b, Value logs, Value labels, double smoothing) {
  const Value classes = ops::iota(b, DType::i64, b.shape(logs), 1);
  const Value column = ops::reshape(b, labels, {b.shape(labels)[0], 1});
  const Value own = ops::select(b, ops::compare(b, classes, column, "eq"), logs, b.scalar(b.dtype(logs), 0));
  const Value loss = ops::neg(b, ops::reduce_sum(b, own, {1}));
  if (smoothing == 0) return loss;
  const Value even = ops::neg(b, ops::reduce_mean(b, logs, {1}));
  return ops::add(b, ops::mul(b, loss, 1 - smoothing), ops::mul(b, even, smoothing));
}

Value cross_entropy(Builder& b, const Loss& loss, Value output, OutputForm form, Value labels) {
  want_classes(loss, b.type(output));
  if (is_float(b.dtype(labels))) {
    want_equal(loss, b.type(output), b.type(labels));
    return from_shares(b, log_probabilities(b, output, form), labels, loss.label_smoothing);
  }
  if (form == OutputForm::logits) return ops::cross_entropy(b, output, labels, loss.label_smoothing);
  return from_log_probabilities(b, log_probabilities(b, output, form), labels, loss.label_smoothing);
}

// max(x, 0) - x t + log(1 + exp(-|x|)): never overflows
Value binary_cross_entropy(Builder& b, const Loss& loss, Value output, OutputForm form, Value labels) {
  const double s = loss.label_smoothing;
  if (s != 0) labels = ops::add(b, ops::mul(b, labels, 1 - s), s / 2);
  if (form == OutputForm::logits) {
    const Value tail = ops::log1p(b, ops::exp(b, ops::neg(b, ops::abs(b, output))));
    return mean_per_sample(
        b, ops::add(b, ops::sub(b, ops::max(b, output, 0), ops::mul(b, output, labels)), tail));
  }
  if (form == OutputForm::log_probabilities) output = ops::exp(b, output);
  const Value p = ops::clamp(b, output, kClosest, 1 - kClosest);
  const Value one = b.scalar(b.dtype(p), 1);
  const Value yes = ops::mul(b, labels, ops::log(b, p));
  const Value no = ops::mul(b, ops::sub(b, one, labels), ops::log(b, ops::sub(b, one, p)));
  return mean_per_sample(b, ops::neg(b, ops::add(b, yes, no)));
}

Value huber(Builder& b, Value error) {
  const Value size = ops::abs(b, error);
  const Value small = ops::mul(b, ops::mul(b, error, error), 0.5);
  const Value is_small = ops::compare(b, size, b.scalar(b.dtype(size), 1), "lt");
  return ops::select(b, is_small, small, ops::sub(b, size, 0.5));
}

}  // namespace

bool takes_classes(const Loss& loss) { return loss.kind == "cross-entropy" || loss.kind == "nll"; }

Value loss_per_sample(Builder& b, const Loss& loss, Value output, OutputForm form, Value labels) {
  output = ops::convert(b, output, DType::f32);
  if (loss.kind == "cross-entropy") return cross_entropy(b, loss, output, form, labels);
  if (loss.kind == "nll") {
    want_classes(loss, b.type(output));
    if (form == OutputForm::probabilities) output = log_probabilities(b, output, form);
    return from_log_probabilities(b, output, labels, 0);
  }
  want_equal(loss, b.type(output), b.type(labels));
  if (loss.kind == "bce") return binary_cross_entropy(b, loss, output, form, labels);
  const Value error = ops::sub(b, output, labels);
  if (loss.kind == "mse") return mean_per_sample(b, ops::mul(b, error, error));
  if (loss.kind == "mae") return mean_per_sample(b, ops::abs(b, error));
  TEMPER_CHECK(loss.kind == "huber", "loss ", loss.kind);
  return mean_per_sample(b, huber(b, error));
}

}  // namespace temper::nn
