#pragma once
// A training step of convolutions and batch norms, as small as it can be.
#include <limits>
#include <vector>

#include "base/text.h"
#include "grad/gradient.h"
#include "ir/builder.h"
#include "ops/composites.h"
#include "ops/primitives.h"

namespace temper {

// A block as MobileNet has them, with a sum around it and another one behind: 1x1, depthwise, 1x1, each with
// a norm; its loss, all gradients and statistics.
class NormBlock {
 public:
  NormBlock(Graph& graph, DType dtype, int64_t batch) : b_(graph), dtype_(dtype) {
    const Value x = b_.input("x", {dtype, {batch, 3, 6, 6}});
    Value y = norm(convolution(x, {4, 3, 1, 1}, {}), {}, 0, 6);
    const Value before = y;
    y = norm(convolution(y, {8, 4, 1, 1}, {}), {}, 0, 6);
    y = norm(convolution(y, {8, 1, 3, 3}, {.low = {1, 1}, .high = {1, 1}, .groups = 8}), {}, 0, 6);
    y = norm(convolution(y, {4, 8, 1, 1}, {}), before, 0, kInfinity);
    y = norm(convolution(y, {4, 4, 1, 1}, {}), y, -kInfinity, kInfinity);
    y = ops::convert(b_, y, DType::f32);
    const Value loss = ops::reduce_sum(b_, ops::mul(b_, y, ops::mul(b_, y, y)), {0, 1, 2, 3});
    b_.output("loss", loss);
    const std::vector<Value> gradients = gradient(b_, loss, trained_);
    for (const Value one : gradients) b_.output(concat("gradient.", graph.outputs.size()), one);
    for (const Value one : statistics_) b_.output(concat("statistic.", graph.outputs.size()), one);
  }

 private:
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  Value parameter(const Shape& shape) {
    const Value value = b_.input(concat("p.", trained_.size()), {DType::f32, shape});
    trained_.push_back(value);
    return value;
  }
  Value convolution(Value x, const Shape& weight, const ops::Conv2d& attributes) {
    return ops::conv2d(b_, x, ops::convert(b_, parameter(weight), dtype_), {}, attributes);
  }
  Value norm(Value x, Value addend, double low, double high) {
    const Shape channels{b_.shape(x).size(1)};
    const Value scale = parameter(channels), bias = parameter(channels);
    const ops::BatchNormResult result =
        ops::batch_norm_act_train(b_, x, scale, bias, addend, {.epsilon = 1e-3, .low = low, .high = high});
    statistics_.insert(statistics_.end(), {result.mean, result.variance});
    return result.y;
  }

  Builder b_;
  DType dtype_;
  std::vector<Value> trained_, statistics_;
};

inline Graph norm_block(DType dtype, int64_t batch) {
  Graph graph;
  const NormBlock block(graph, dtype, batch);
  return graph;
}

}  // namespace temper
