#pragma once
// Graph to Graph. Every pass keeps port names and order, donations and node names.
#include <functional>

#include "target/target.h"

namespace temper {

Graph specialise(const Graph& graph, const SymbolSizes& sizes);  // symbols become numbers; types are inferred anew
Graph eliminate_dead(const Graph& graph);                        // drops nodes no output needs; graph inputs stay
Graph merge_common(const Graph& graph);                          // equal nodes become one

// Evaluates what is constant, in the dtype's own arithmetic, up to `limit` elements a result; knows x + 0, x * 1,
// no-op reshapes and transposes, and the integer arithmetic of shapes with symbols (dimension_size and what follows).
Graph fold(const Graph& graph, int64_t limit = 1 << 16);

// Composites for which `keep` is false become primitives (recursively).
Graph decompose(const Graph& graph, const std::function<bool(const Graph&, const Node&)>& keep);

// The frozen part: everything no trainable input, key or per-step input reaches. Two graphs and the values between.
struct Split {
  Graph prefix;                     // outputs: the features, named "feature.0", ...
  Graph suffix;                     // inputs: the features and whatever else it needs
  std::vector<std::string> features;
};
Split split_frozen(const Graph& graph, const std::function<bool(const std::string& input)>& changes);

// Byte offsets in one arena by lifetime.
struct Lifetime {
  int64_t bytes;
  int first, last;  // steps, inclusive
};
struct ArenaPlan {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
};
ArenaPlan plan_arena(std::span<const Lifetime> lifetimes, int64_t alignment = 64);

}  // namespace temper
