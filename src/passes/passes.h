#pragma once
// Graph to Graph. Every pass keeps port names and order, donations and node names.
#include <functional>
#include <map>

#include "target/target.h"

namespace temper {

Graph specialise(const Graph& graph,
                 const SymbolSizes& sizes);  // symbols become numbers; types are inferred anew
// Sizes of the symbols in `ports` that make them fit `tensors`. Error invalid names the input and both
// shapes.
SymbolSizes bind_symbols(std::span<const Port> ports, const Graph& graph, std::span<const Tensor> tensors);
Graph eliminate_dead(const Graph& graph);  // drops nodes no output needs; graph inputs stay
Graph merge_common(const Graph& graph);    // equal nodes become one

// Evaluates what is constant, in the dtype's own arithmetic, up to `limit` elements a result, and removes
// what does nothing: x * 1, x - 0, moves that move nothing, a reshape of a reshape, a convert to the same
// dtype.
Graph fold(const Graph& graph, int64_t limit = 1 << 16);

// Composites for which `keep` is false become primitives (recursively).
Graph decompose(const Graph& graph, const std::function<bool(const Graph&, const Node&)>& keep);

// Layer norms over the last axis and GELUs that are spelled out, as files of older opsets have them, become
// those ops.
Graph raise_composites(const Graph& graph);

// batch_norm_infer straight after a convolution becomes part of its weight and bias: w s, (b - m) s + shift
// with s = scale / sqrt(variance + epsilon). The scaled weights are nodes; split_frozen moves them to load
// time. `may_fold` is asked with the batch norm; false leaves it alone.
Graph fold_batch_norms(const Graph& graph, const std::function<bool(const Graph&, const Node&)>& may_fold);

// The heavy work of f32 arithmetic in bf16, of inference or of a whole training step: convolutions and matrix
// products with their gradients read bf16 and sum in f32, what lies between them is kept in bf16 where that
// is safe; norms' statistics, softmax, losses, reductions, optimizers, ports stay f32 (docs/adr/).
Graph lower_precision(const Graph& graph);

// The frozen part: what no input for which `changes` is true, no randomness and no effect reaches. Only
// values that cost more than a move are cut; constants and cheap views are repeated in the suffix.
struct Split {
  Graph prefix;                       // outputs: the features, "feature.0", ...; inputs: those it needs
  Graph suffix;                       // inputs: the features in that order, then those of `graph` it needs
  std::vector<std::string> features;  // their names, in order
};
Split split_frozen(const Graph& graph, const std::function<bool(const std::string& input)>& changes);

// `symbol` counts samples along one axis of the inputs. Empty if no node lets one sample reach another's
// results; else what does, and why: "fc (dot_general, node 7): ...". Only what outputs need is looked at.
std::string mixes_samples(const Graph& graph, std::string_view symbol);

// specialise(graph, sizes); but where samples stay alone and a whole batch would not stay in a cache, a scan
// over parts of the batch whose values do. The limits are not asked of the machine: the same batch is cut in
// the same parts, with the same results, everywhere.
struct CacheLimits {
  int64_t values = 8 << 20;       // bytes a part's largest node may read and write
  int64_t parameters = 24 << 20;  // beyond, each part reads them from memory again
};
Graph specialise_in_parts(const Graph& graph, const SymbolSizes& sizes, const CacheLimits& limits = {});

// A training step, its shapes fixed, in which what lies between two large norms goes through the batch part
// after part (`in_parts`), as far as it waits for memory. Sums are added in another order, the same one
// everywhere.
struct TrainingLimits {
  int64_t pictures = 8 << 20;  // bytes beyond which a norm is large
  int64_t part = 2 << 20;      // bytes a part's largest node may read and write; at least one sample
};
Graph train_in_parts(const Graph& graph, const TrainingLimits& limits = {});

// Graph inputs of these names become constants. The graph donates nothing.
Graph bind_inputs(const Graph& graph, const std::map<std::string, Tensor>& values);
// Those of `values` that are integers, scales or zero points of a quantize or dequantize, and in a graph that
// has some the biases: a device compiles for what they hold.
Graph bind_quantised(const Graph& graph, const std::map<std::string, Tensor>& values);

// Byte offsets in one arena by lifetime.
struct Lifetime {
  int64_t bytes;
  int first, last;  // steps, inclusive
};
struct ArenaPlan {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
  int64_t floor = 0;  // what lives at the busiest step: no plan takes less
};
ArenaPlan plan_arena(std::span<const Lifetime> lifetimes, int64_t alignment = 64);

}  // namespace temper
