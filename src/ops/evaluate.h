#pragma once
// Evaluates nodes by their definition: primitives by `evaluate`, composites by their decomposition.
#include "ops/array.h"

namespace temper {

// none: floats stay double until someone makes a Tensor of them. every_node: each primitive's result is
// rounded to its dtype, as a device that has no wider registers would.
enum class Rounding { none, every_node };

// inputs: one per input of the node, null where absent; types are static and equal to the node's. Slow and
// unbounded in memory: the caller decides what is small enough.
std::vector<Array> evaluate_node(const Node& node, std::span<const Array* const> inputs,
                                 Rounding rounding = Rounding::every_node);

// inputs: one per graph.inputs. Returns one per graph.outputs.
std::vector<Array> evaluate_graph(const Graph& graph, std::span<const Array* const> inputs,
                                  Rounding rounding = Rounding::every_node);

}  // namespace temper
