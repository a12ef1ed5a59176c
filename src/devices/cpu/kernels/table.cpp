// The kernels by op, and what the executor asks about them.
#include <algorithm>

#include "codegen/fuse.h"
#include "codegen/tape_names.h"
#include "devices/cpu/kernels/request.h"
#include "devices/cpu/kernels/tape_kernel.h"

namespace temper::cpu {

namespace {

struct Row {
  std::string_view op;
  MakeKernel make;
  Accepts accepts = Accepts::row_major;
  bool f32_only = false;  // in another dtype the op decomposes
};

constexpr Row kRows[] = {
    {"transpose", make_transpose},
    {"slice", make_slice, Accepts::permuted},
    {"pad", make_pad, Accepts::permuted},
    {"concat", make_concat, Accepts::permuted},
    {"reverse", make_reverse, Accepts::permuted},
    {"dynamic_slice", make_dynamic_slice, Accepts::permuted},
    {"dynamic_update_slice", make_dynamic_update_slice, Accepts::permuted},
    {"gather", make_gather},
    {"scatter", make_scatter},
    {"sort", make_sort},
    {"arg_reduce", make_arg_reduce},
    {"reduce_window", make_reduce_window, Accepts::permuted},
    {"embedding", make_embedding},
};

const Row* find_row(std::string_view op) {
  const auto found =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& row) { return row.op == op; });
  return found == std::end(kRows) ? nullptr : found;
}

// Packed and 8-bit floats are storage types only.
bool computes(DType dtype) {
  return dtype == DType::boolean || (dtype >= DType::i8 && dtype <= DType::u64) || dtype >= DType::f16;
}

const Node& root(const Graph& graph, const Cluster& cluster) {
  return graph.nodes()[static_cast<size_t>(cluster.nodes.back())];
}

// Whether the cluster is a tape; the ops of single kernels never stand in one.
bool is_tape(const Graph& graph, const Cluster& cluster) { return !find_row(root(graph, cluster).op->name); }

}  // namespace

Claim claim_kernel(const Graph& graph, const Node& node) {
  const std::string_view name = node.op->name;
  const auto unsupported = [&](const Type& type) -> std::optional<Claim> {
    if (computes(type.dtype)) return std::nullopt;
    return Claim{Claim::refuse, concat("no arithmetic in ", to_string(type.dtype))};
  };
  for (Value input : node.inputs)
    if (input)
      if (auto claim = unsupported(graph.type(input))) return *claim;
  for (const Type& output : node.outputs)
    if (auto claim = unsupported(output)) return *claim;
  if (const Row* row = find_row(name)) {
    if (row->f32_only && node.outputs[0].dtype != DType::f32)
      return {Claim::decompose, "its kernel is for f32"};
    return {Claim::kernel, "SIMD kernel"};
  }
  if (name == "dropout_infer") return {Claim::decompose, "it is the identity"};
  if (name == "reduce" || is_map(node) || is_view(graph, node)) return {Claim::kernel, "tape of maps"};
  if (!node.op->primitive) return {Claim::decompose, "no kernel of its own"};
  return {Claim::refuse, concat("no kernel for ", name)};
}

std::vector<Cluster> fuse(const Graph& graph, const std::vector<bool>& taken) {
  std::vector<bool> single = taken;
  std::vector<Cluster> clusters;
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    if (taken[static_cast<size_t>(i)] || !find_row(node.op->name)) continue;
    single[static_cast<size_t>(i)] = true;
    clusters.push_back({{i}, std::string(node.op->name)});
  }
  for (Cluster& cluster : fuse_maps(graph, single)) clusters.push_back(std::move(cluster));
  return clusters;
}

Accepts accepts(const Graph& graph, const Cluster& cluster) {
  if (const Row* row = find_row(root(graph, cluster).op->name)) return row->accepts;
  for (int index : cluster.nodes) {
    const Node& node = graph.nodes()[static_cast<size_t>(index)];
    // One number spread over a shape is the same in every layout.
    const bool spreads = node.inputs.size() == 1 && graph.type(node.inputs[0]).shape.elements() == 1;
    if (node.op->name == "reduce" || (is_view(graph, node) && !spreads)) return Accepts::permuted;
  }
  return Accepts::any;
}

bool in_place(const Graph& graph, const Cluster& cluster, Value input, Value output) {
  const Node& node = root(graph, cluster);
  if (!is_tape(graph, cluster))
    return (node.op->name == "scatter" || node.op->name == "dynamic_update_slice") &&
           input == node.inputs[0] &&
           std::find(node.inputs.begin() + 1, node.inputs.end(), input) == node.inputs.end();
  if (graph.type(input) != graph.type(output)) return false;
  // Inside a tape an input is read where it is written, unless a view moves it.
  for (int index : cluster.nodes) {
    const Node& member = graph.nodes()[static_cast<size_t>(index)];
    const bool reads = std::find(member.inputs.begin(), member.inputs.end(), input) != member.inputs.end();
    if (reads && !is_map(member) && member.op->name != "reduce") return false;
    if (index == output.node && !is_map(member)) return false;
  }
  return true;
}

std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) {
  if (const Row* row = find_row(root(request.graph, request.cluster).op->name))
    return row->make(NodeRequest(request));
  return make_tape_kernel(request);
}

}  // namespace temper::cpu
