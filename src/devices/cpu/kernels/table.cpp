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
  enum Width { any, f32, f32_or_bf16, f32_bf16_or_bytes } width = any;  // in another dtype it decomposes
  std::string_view (*lacks)(const Graph&,
                            const Node&) = nullptr;  // why this node decomposes; empty if it does not
  std::vector<size_t> in_place = {};                 // inputs whose memory output 0 may take
};

std::string_view lacks_inner_axis(const Graph& graph, const Node& node) {
  const Shape& shape = graph.type(node.inputs[0]).shape;
  const bool inner = node.attributes.get<int64_t>("axis") == shape.rank() - 1;
  return inner ? std::string_view() : "its kernel is for the last axis";
}

std::string_view lacks_small_window(const Graph&, const Node& node) {
  const Ints& window = node.attributes.get<Ints>("window");
  return window[0] * window[1] <= kMaxPoolTaps ? std::string_view() : "its kernel is for smaller windows";
}

std::string_view lacks_f32_logits(const Graph& graph, const Node& node) {
  return graph.type(node.inputs[0]).dtype == DType::f32 ? std::string_view() : "its kernel is for f32";
}

// Of a batch norm: all operands but x and dy.
// The vectors by channel; pictures have the type of the first.
std::string_view lacks_f32_parameters(const Graph& graph, const Node& node) {
  const auto fits = [&](Value value) {
    const Type& type = graph.type(value);
    return type.shape.rank() > 1 || type.dtype == DType::f32;
  };
  return std::ranges::all_of(node.inputs, fits) ? std::string_view() : "its kernel is for f32 parameters";
}

const std::vector<Row>& rows() {
  constexpr Accepts kRow = Accepts::row_major, kAny = Accepts::permuted;
  static const std::vector<Row> all{
      {"transpose", make_transpose},
      {"slice", make_slice, kAny},
      {"pad", make_pad, kAny},
      {"concat", make_concat, kAny},
      {"reverse", make_reverse, kAny},
      {"dynamic_slice", make_dynamic_slice, kAny},
      {"dynamic_update_slice", make_dynamic_update_slice, kAny, Row::any, nullptr, {0}},
      {"gather", make_gather},
      {"scatter", make_scatter, kRow, Row::any, nullptr, {0}},
      {"sort", make_sort},
      {"arg_reduce", make_arg_reduce},
      {"reduce_window", make_reduce_window, kAny},
      {"embedding", make_embedding},
      {"softmax", make_softmax, kRow, Row::f32, lacks_inner_axis, {0}},
      {"softmax_grad", make_softmax_grad, kRow, Row::f32, lacks_inner_axis, {0, 1}},
      {"log_softmax", make_softmax, kRow, Row::f32, lacks_inner_axis, {0}},
      {"cross_entropy", make_cross_entropy, kRow, Row::f32, lacks_f32_logits},
      {"cross_entropy_grad", make_cross_entropy_grad, kRow, Row::f32, nullptr, {0}},
      {"layer_norm", make_layer_norm, kRow, Row::f32, nullptr, {0}},
      {"layer_norm_grad", make_layer_norm_grad, kRow, Row::f32, nullptr, {0, 4}},
      {"batch_norm_infer", make_batch_norm_infer, kAny, Row::f32_or_bf16, lacks_f32_parameters, {0}},
      {"batch_norm_train", make_batch_norm_train, kAny, Row::f32_or_bf16, lacks_f32_parameters, {0}},
      {"batch_norm_grad", make_batch_norm_grad, kAny, Row::f32_or_bf16, lacks_f32_parameters, {0, 4}},
      {"batch_norm_act_train",
       make_batch_norm_act_train,
       kAny,
       Row::f32_or_bf16,
       lacks_f32_parameters,
       {0, 3}},
      {"batch_norm_act_grad",
       make_batch_norm_act_grad,
       kAny,
       Row::f32_or_bf16,
       lacks_f32_parameters,
       {0, 5, 6}},
      {"batch_norm_act_infer",
       make_batch_norm_act_infer,
       kAny,
       Row::f32_or_bf16,
       lacks_f32_parameters,
       {0, 5}},
      {"batch_norm_act_input_grad",
       make_batch_norm_act_input_grad,
       kAny,
       Row::f32_or_bf16,
       lacks_f32_parameters,
       {0, 5}},
      {"max_pool", make_pool, kAny, Row::f32_bf16_or_bytes, lacks_small_window},
      {"avg_pool", make_pool, kAny, Row::f32_or_bf16, lacks_small_window},
      {"max_pool_grad", make_pool_grad, kAny, Row::f32_or_bf16, lacks_small_window},
      {"avg_pool_grad", make_pool_grad, kAny, Row::f32_or_bf16, lacks_small_window},
      {"dropout", make_dropout, kRow, Row::f32, nullptr, {0}},
  };
  return all;
}

bool takes(Row::Width width, DType dtype) {
  if (width == Row::any || dtype == DType::f32) return true;
  if (dtype == DType::bf16) return width != Row::f32;
  return (dtype == DType::u8 || dtype == DType::i8) && width == Row::f32_bf16_or_bytes;
}

const Row* find_row(std::string_view op) {
  const auto found = std::find_if(rows().begin(), rows().end(), [&](const Row& row) { return row.op == op; });
  return found == rows().end() ? nullptr : &*found;
}

// Packed and 8-bit floats are storage types only.
bool computes(DType dtype) {
  return dtype == DType::boolean || (dtype >= DType::i8 && dtype <= DType::u64) || dtype >= DType::f16;
}

const Node& root(const Graph& graph, const Cluster& cluster) {
  return graph.nodes()[static_cast<size_t>(cluster.nodes.back())];
}

// A tape converts to and from f32.
Claim claim_quantisation(const Graph& graph, const Node& node) {
  const bool quantizes = node.op->name == "quantize";
  const DType real = quantizes ? graph.type(node.inputs[0]).dtype : node.outputs[0].dtype;
  const bool even = node.attributes.get_or<std::string>("rounding", "half_even") == "half_even";
  if (real != DType::f32 || graph.type(node.inputs[1]).dtype != DType::f32 || !even)
    return {Claim::decompose, "its kernel is for f32, rounded half to even"};
  if (quantizes) return {Claim::kernel, "in the kernel of a contraction of integers before it, else a tape"};
  return {Claim::kernel, "nothing for contractions that read the integers, else a tape"};
}

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
  if (name == "quantize" || name == "dequantize") return claim_quantisation(graph, node);
  if (const Row* row = find_row(name)) {
    const DType dtype = node.outputs[0].dtype;
    if (!takes(row->width, dtype))
      return {Claim::decompose,
              row->width == Row::f32 ? "its kernel is for f32" : "its kernel is for f32 and bf16"};
    const std::string_view lack = row->lacks ? row->lacks(graph, node) : std::string_view();
    if (!lack.empty()) return {Claim::decompose, std::string(lack)};
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
  if (graph.type(input) != graph.type(output)) return false;
  const Node& node = root(graph, cluster);
  if (const Row* row = find_row(node.op->name))
    return output.index == 0 && std::count(node.inputs.begin(), node.inputs.end(), input) == 1 &&
           std::any_of(row->in_place.begin(), row->in_place.end(),
                       [&](size_t i) { return node.inputs[i] == input; });
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
