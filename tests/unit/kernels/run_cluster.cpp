#include "run_cluster.h"

#include <omp.h>

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "devices/cpu/kernel.h"
#include "ir/op.h"

namespace temper {

namespace {

// Between row-major and `layout`, an element at a time.
void reorder(const Tensor& logical, std::byte* physical, int64_t layout, bool into_physical) {
  const Ints along = cpu::strides(logical.shape(), layout), sizes = logical.shape().sizes();
  const int64_t bytes = bit_width(logical.dtype()) / 8;
  auto* host = const_cast<std::byte*>(logical.data());
  for (int64_t i = 0; i < logical.elements(); ++i) {
    int64_t rest = i, at = 0;
    for (size_t k = sizes.size(); k-- > 0; rest /= sizes[k]) at += rest % sizes[k] * along[k];
    std::byte *a = host + i * bytes, *b = physical + at * bytes;
    into_physical ? std::memcpy(b, a, static_cast<size_t>(bytes))
                  : std::memcpy(a, b, static_cast<size_t>(bytes));
  }
}

bool leaf(const Node& node) { return node.op->name == "input" || node.op->name == "constant"; }

}  // namespace

std::vector<Tensor> run_cluster(const Graph& graph, std::span<const Tensor> inputs, int64_t layout,
                                int threads) {
  std::vector<bool> taken;
  for (const Node& node : graph.nodes()) taken.push_back(leaf(node));
  const std::vector<Cluster> clusters = cpu::fuse(graph, taken);
  TEMPER_CHECK(clusters.size() == 1, clusters.size(), " clusters");
  std::vector<Value> in, out;
  int rank = 0;
  for (int i = 0; i < graph.size(); ++i) {
    if (taken[static_cast<size_t>(i)]) in.push_back({i, 0});
    for (const Type& type : graph.nodes()[static_cast<size_t>(i)].outputs)
      rank = std::max(rank, type.shape.rank());
  }
  for (const Port& port : graph.outputs) out.push_back(port.value);
  const bool takes_layout = cpu::accepts(graph, clusters[0]) != cpu::Accepts::row_major;
  const auto layout_of = [&](Value v) {
    return takes_layout && graph.type(v).shape.rank() == rank && rank >= 3 ? layout : cpu::kRowMajor;
  };
  std::vector<int64_t> in_layouts, out_layouts;
  for (Value v : in) in_layouts.push_back(layout_of(v));
  for (Value v : out) out_layouts.push_back(layout_of(v));
  const auto kernel = cpu::make_kernel({graph, clusters[0], in, out, in_layouts, out_layouts, threads});

  std::vector<std::vector<std::byte>> memory;
  for (size_t i = 0; i < in.size(); ++i) {
    const Node& node = graph.node(in[i]);
    Tensor value;
    for (size_t k = 0; k < inputs.size(); ++k)
      if (graph.inputs[k].value == in[i]) value = inputs[k];
    if (node.op->name == "constant") value = node.attributes.get<Tensor>("value");
    memory.emplace_back(static_cast<size_t>(value.bytes()) + 1);
    reorder(value, memory.back().data(), in_layouts[i], true);
  }
  for (Value v : out) memory.emplace_back(static_cast<size_t>(byte_size(graph.type(v))) + 1, std::byte{0x55});
  memory.emplace_back(static_cast<size_t>(kernel->scratch_bytes()) + 1, std::byte{0x55});
  std::vector<void*> buffers;
  for (auto& bytes : memory) buffers.push_back(bytes.data());
  omp_set_num_threads(threads);
  kernel->run(buffers.data(), kernel->make_state().get());

  std::vector<Tensor> results;
  for (size_t i = 0; i < out.size(); ++i) {
    results.emplace_back(graph.type(out[i]));
    reorder(results.back(), memory[in.size() + i].data(), out_layouts[i], false);
  }
  return results;
}

Tensor filled(const Type& type, uint64_t seed) {
  std::vector<double> values(static_cast<size_t>(type.shape.elements()));
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (double& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<double>(state >> 40) / (1 << 23) - 1;
    if (!is_float(type.dtype)) value = std::floor(value * 8);
  }
  return from_doubles(type, values);
}

}  // namespace temper
