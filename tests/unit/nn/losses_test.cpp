#include "nn/losses.h"

#include "golden.h"
#include "grad/gradient.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"

namespace temper::nn {
namespace {

constexpr double kTolerance = 1e-6;  // of f32

Tensor scores() {
  std::vector<double> values = to_doubles(wave({DType::f64, {3, 4}}, 0.1));
  for (double& value : values) value *= 3;
  return from_doubles({DType::f32, {3, 4}}, values);
}

Tensor targets() { return wave({DType::f32, {3, 4}}, 0.2); }

Tensor bits() {
  std::vector<double> values = to_doubles(targets());
  for (double& value : values) value = value > 0;
  return from_doubles({DType::f32, {3, 4}}, values);
}

Tensor classes() { return Tensor::from<int64_t>({3}, std::vector<int64_t>{2, 3, 0}); }

enum class Form { plain, softmax, sigmoid };

// The loss of scores() behind the function that `form` names.
std::vector<double> loss_of(const Loss& loss, OutputForm output_form, Form form, const Tensor& labels) {
  Graph graph;
  Builder b(graph);
  Value output = b.constant(scores());
  const Value e = ops::exp(b, output);
  if (form == Form::softmax) output = ops::div(b, e, ops::reshape(b, ops::reduce_sum(b, e, {1}), {3, 1}));
  if (form == Form::sigmoid) output = ops::sigmoid(b, output);
  if (output_form == OutputForm::log_probabilities) output = ops::log(b, output);
  b.output("loss", loss_per_sample(b, loss, output, output_form, b.constant(labels)));
  EXPECT_EQ(graph.type(graph.outputs[0].value), (Type{DType::f32, {3}}));
  return to_doubles(interpret(graph, {}).front());
}

TEST(Losses, CrossEntropyIsPyTorchsFromEveryForm) {
  for (double smoothing : {0.0, 0.1}) {
    const Loss loss{.kind = "cross-entropy", .label_smoothing = smoothing};
    const std::string golden = smoothing > 0 ? "cross_entropy_smoothed" : "cross_entropy";
    expect_golden(golden, loss_of(loss, OutputForm::logits, Form::plain, classes()), kTolerance);
    expect_golden(golden, loss_of(loss, OutputForm::probabilities, Form::softmax, classes()), kTolerance);
    expect_golden(golden, loss_of(loss, OutputForm::log_probabilities, Form::softmax, classes()), kTolerance);
  }
}

TEST(Losses, CrossEntropyTakesSharesOfClasses) {
  std::vector<double> shares = to_doubles(targets());
  for (size_t row = 0; row < shares.size(); row += 4) {
    double sum = 0;
    for (size_t i = row; i < row + 4; ++i) sum += shares[i] = std::exp(shares[i]);
    for (size_t i = row; i < row + 4; ++i) shares[i] /= sum;
  }
  const Tensor labels = from_doubles({DType::f32, {3, 4}}, shares);
  const Loss loss{.kind = "cross-entropy", .label_smoothing = 0.1};
  expect_golden("cross_entropy_shares", loss_of(loss, OutputForm::logits, Form::plain, labels), kTolerance);
  expect_golden("cross_entropy_shares", loss_of(loss, OutputForm::probabilities, Form::softmax, labels),
                kTolerance);
}

TEST(Losses, TheOthersArePyTorchs) {
  expect_golden("nll", loss_of({.kind = "nll"}, OutputForm::log_probabilities, Form::softmax, classes()),
                kTolerance);
  expect_golden("bce", loss_of({.kind = "bce"}, OutputForm::logits, Form::plain, bits()), kTolerance);
  expect_golden("bce_probabilities",
                loss_of({.kind = "bce"}, OutputForm::probabilities, Form::sigmoid, bits()), kTolerance);
  expect_golden("mse", loss_of({.kind = "mse"}, OutputForm::logits, Form::plain, targets()), kTolerance);
  expect_golden("mae", loss_of({.kind = "mae"}, OutputForm::logits, Form::plain, targets()), kTolerance);
  expect_golden("huber", loss_of({.kind = "huber"}, OutputForm::logits, Form::plain, targets()), kTolerance);
}

TEST(Losses, BinaryCrossEntropyOfHugeLogitsIsFinite) {
  Graph graph;
  Builder b(graph);
  const Type type{DType::f32, {2, 1}};
  const Value x = b.constant(from_doubles(type, std::vector<double>{1000, -1000}));
  const Value labels = b.constant(from_doubles(type, std::vector<double>{0, 0}));
  const Value loss = loss_per_sample(b, {.kind = "bce"}, x, OutputForm::logits, labels);
  b.output("loss", loss);
  b.output("slope", gradient(b, ops::reduce_sum(b, loss, {0}), std::span(&x, 1)).front());
  const std::vector<Tensor> results = interpret(graph, {});
  EXPECT_EQ(to_doubles(results[0]), (std::vector<double>{1000, 0}));
  EXPECT_EQ(to_doubles(results[1]), (std::vector<double>{1, 0}));
}

TEST(Losses, ShapesThatDoNotFitAreRefused) {
  Graph graph;
  Builder b(graph);
  const Value three = b.input("three", {DType::f32, {2, 3, 4}}),
              labels = b.input("labels", {DType::i64, {2}});
  EXPECT_THROW(loss_per_sample(b, {}, three, OutputForm::logits, labels), Error);
  EXPECT_THROW(loss_per_sample(b, {.kind = "mse"}, three, OutputForm::logits, labels), Error);
}

}  // namespace
}  // namespace temper::nn
