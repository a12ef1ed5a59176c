#pragma once
// What small values are known to hold when a file is read: shape arithmetic with free dimensions kept as
// symbols, and ordinary constants. So a Reshape to [Shape(x)[0], -1] works for any batch.
#include <optional>
#include <vector>

#include "ir/op.h"

namespace temper::onnx {

struct Known {
  DType dtype = DType::i64;
  Shape shape;                // static
  std::vector<Dim> ints;      // integers and booleans, row-major
  std::vector<double> reals;  // floats
};

// Follows a graph under construction. Not thread-safe.
class KnownValues {
 public:
  explicit KnownValues(const Graph& graph) : graph_(graph) {}

  // Says what a graph input holds; only readers by value take notice.
  void bind(Value input, const Tensor& tensor);
  const Known* find(Value value);  // null if it is not known; the pointer lasts until the next call

 private:
  std::optional<Known> evaluate(const Node& node) const;
  const Known* at(Value value) const;

  const Graph& graph_;
  std::vector<std::optional<Known>> values_;  // by node, output 0
};

std::optional<Known> known_tensor(const Tensor& tensor);  // none if it is too large

// Arithmetic on dimensions; none if the result is no constant times a symbol.
std::optional<Dim> multiply(const Dim& a, const Dim& b);
std::optional<Dim> divide(const Dim& a, const Dim& b);  // exact where symbols are involved, else truncating
// Product of `a` over product of `b`; equal symbols cancel.
std::optional<Dim> ratio(std::span<const Dim> a, std::span<const Dim> b);

}  // namespace temper::onnx
