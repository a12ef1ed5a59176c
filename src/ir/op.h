#pragma once
// A row of the op table. An Op is used by pointer to its const row; ops.def fills the built-in rows.
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace temper {

class Builder;

// What a shape rule sees. Types may hold symbolic dimensions.
struct InferContext {
  const Op& op;
  std::span<const Type> inputs;  // rank -1 does not exist: an absent optional input has `present[i] == false`
  std::span<const bool> present;
  const Attributes& attributes;
  std::span<const Graph> regions;
  [[noreturn]] void fail(std::string_view what) const;  // Error invalid "op: what"
};

// A tensor in the evaluator: floats as double, everything else as int64 (u64 by its bits, bool 0 or 1).
struct Array {
  Type type;                  // static
  std::vector<double> reals;  // used if is_float(type.dtype)
  std::vector<int64_t> ints;  // used otherwise, always wrapped to the dtype's range
};

struct EvaluateContext {
  const Node& node;
  std::span<const Array* const> inputs;  // null for an absent optional input
  std::span<const Type> outputs;         // static types to produce
  // Runs a region; for call, scan, cond, while.
  std::function<std::vector<Array>(const Graph&, std::span<const Array* const>)> run_region;
};

// A node seen from a graph under construction: its inputs are Values of the Builder's graph.
struct NodeView {
  const Node& node;
  std::span<const Value> inputs;
  const Attributes& attributes() const { return node.attributes; }
};

struct VjpContext {
  const Node& node;
  std::span<const Value> inputs;      // in the Builder's graph
  std::span<const Value> outputs;     // the node's own results, in the Builder's graph
  std::span<const Value> cotangents;  // one per output; none = zero
  std::span<const bool> needed;       // one per input; a gradient that is not needed may be none
  // Differentiates a region: grad's vector_jacobian, handed in because ops stand below grad.
  std::vector<Value> (*region_gradient)(Builder&, std::span<const Value> ys, std::span<const Value> seeds,
                                        std::span<const Value> wrt) = nullptr;
};

// How a sample's input is filled. Deterministic: Philox by (sample, input, element).
struct Fill {
  enum Kind { normal, uniform, integers, distinct, constant } kind = normal;
  double low = -1,
         high = 1;  // uniform, integers: [low, high); constant: low; normal: mean low + 1, deviation high
  // distinct: a random permutation of evenly spaced values, so that max and sort have no ties
};

// One case: a test, a gradient check, a benchmark and a line of documentation.
struct Sample {
  std::string name;
  std::vector<Type> inputs;  // static
  Attributes attributes = {};
  std::vector<Fill> fills = {};  // by input; the last one repeats; empty: normal(0, 1)
  double tolerance = 0;          // allowed error of a kernel relative to the largest magnitude; 0: by dtype
  std::vector<Graph> regions = {};
  std::vector<bool> present = {};  // empty: all
  bool smooth = true;              // false: at a kink or a tie, where finite differences say nothing
};

struct Op {
  std::string_view name;
  int version = 1;
  bool primitive = true;
  std::string_view summary;  // one line for the reference: y = f(x)
  std::vector<Type> (*infer)(const InferContext&) = nullptr;
  std::vector<Array> (*evaluate)(const EvaluateContext&) = nullptr;      // primitives: the definition
  std::vector<Value> (*decompose)(Builder&, const NodeView&) = nullptr;  // composites: the definition
  std::vector<Value> (*vjp)(Builder&, const VjpContext&) = nullptr;      // one per input; none where zero
  std::string_view no_gradient = {};  // why there is none; a composite with neither inherits by decomposition
  std::vector<Sample> (*samples)() = nullptr;
  bool random_or_effect = false;  // never merged, folded or removed as a duplicate (all_reduce, barrier)
};

// The two leaves that the graph itself needs; the rest of the table is in ops/.
extern const Op input_op;     // () -> value given by the caller; attributes dtype, shape
extern const Op constant_op;  // () -> attribute value (Tensor)

}  // namespace temper
