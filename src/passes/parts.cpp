// A batch in parts that stay in a cache: layer after layer over a whole batch, every value goes to memory and
// back.
#include <algorithm>
#include <map>

#include "ir/builder.h"
#include "ops/primitives.h"
#include "passes/passes.h"
#include "target/cost.h"

namespace temper {
namespace {

// The symbol that counts samples: the first axis of every input that has free dimensions.
std::string batch_symbol(const Graph& graph, const SymbolSizes& sizes) {
  std::string symbol;
  for (const Port& port : graph.inputs) {
    const Shape& shape = graph.type(port.value).shape;
    if (shape.is_static()) continue;
    const std::string_view first = shape[0].symbol_name();
    if (!sizes.contains(first) || (!symbol.empty() && symbol != first)) return {};
    symbol = first;
  }
  return symbol;
}

bool counts(const Type& type, std::string_view symbol) {
  return type.shape.rank() > 0 && type.shape[0].symbol_name() == symbol;
}

// Of one sample: the most that a node reads and writes, and what all do, parameters apart; of the graph: its
// parameters.
struct Traffic {
  int64_t most = 0, all = 0, parameters = 0;
};

// What a value takes in memory: integers, where they stand for it.
int64_t stored_bytes(const Graph& graph, const std::vector<std::vector<int>>& readers, Value value) {
  const Node& node = graph.node(value);
  if (node.op->name == "dequantize") return byte_size(graph.type(node.inputs[0]));
  for (const int reader : readers[static_cast<size_t>(value.node)]) {
    const Node& next = graph.nodes()[static_cast<size_t>(reader)];
    if (next.op->name == "quantize") return byte_size(next.outputs[0]);
  }
  return byte_size(graph.type(value));
}

Traffic traffic(const Graph& one_sample, const std::vector<bool>& is_data) {
  Traffic result;
  const auto readers = users(one_sample);
  std::vector<bool> changes(static_cast<size_t>(one_sample.size()));
  for (size_t i = 0; i < is_data.size(); ++i) {
    const Port& port = one_sample.inputs[i];
    if (is_data[i]) {
      changes[static_cast<size_t>(port.value.node)] = true;
    } else {
      result.parameters += byte_size(one_sample.type(port.value));
    }
  }
  for (size_t i = 0; i < changes.size(); ++i) {
    const Node& node = one_sample.nodes()[i];
    int64_t bytes = 0;
    for (const Value input : node.inputs) {
      if (!input || !changes[static_cast<size_t>(input.node)]) continue;
      changes[i] = true;
      bytes += stored_bytes(one_sample, readers, input);
    }
    if (!changes[i] || flops(one_sample, node) == 0) continue;
    for (int32_t k = 0; k < static_cast<int32_t>(node.outputs.size()); ++k)
      bytes += stored_bytes(one_sample, readers, {static_cast<int32_t>(i), k});
    result.most = std::max(result.most, bytes);
    result.all += bytes;
  }
  return result;
}

// Samples of a part: as many as fit, but so many that reading the parameters again costs little beside what
// the values save. `size` if the batch is best left whole.
int64_t samples_of_part(const Traffic& traffic, int64_t size, const CacheLimits& limits) {
  if (traffic.most * size <= 2 * limits.values) return size;
  const auto pays = [&](int64_t part) {
    return traffic.parameters <= limits.parameters || traffic.parameters / part <= traffic.all / 4;
  };
  int64_t best = 1;
  for (int64_t part = 1; part <= size; ++part)
    if (size % part == 0 && (traffic.most * part <= limits.values || !pays(best))) best = part;
  return best;
}

}  // namespace

Graph specialise_in_parts(const Graph& graph, const SymbolSizes& sizes, const CacheLimits& limits) {
  const std::string symbol = batch_symbol(graph, sizes);
  const auto whole = [&] { return specialise(graph, sizes); };
  if (symbol.empty() || !graph.donations.empty() || !mixes_samples(graph, symbol).empty()) return whole();
  const int64_t size = sizes.find(symbol)->second;
  std::vector<bool> is_data;
  for (const Port& port : graph.inputs) is_data.push_back(counts(graph.type(port.value), symbol));
  SymbolSizes of_part = sizes;
  of_part[symbol] = 1;
  const int64_t part = samples_of_part(traffic(specialise(graph, of_part), is_data), size, limits);
  if (part == size) return whole();

  // What no sample reaches is computed once, before.
  Split split = split_frozen(
      graph, [&](const std::string& name) { return counts(graph.type(graph.find_input(name)), symbol); });
  of_part[symbol] = part;
  Graph body = std::move(split.suffix);
  std::stable_partition(body.inputs.begin(), body.inputs.end(),
                        [&](const Port& port) { return counts(body.type(port.value), symbol); });
  Graph result;
  Builder b(result);
  std::map<std::string, Value> known;
  for (const Port& port : graph.inputs) {
    const Type& type = graph.type(port.value);
    known[port.name] = b.input(port.name, {type.dtype, specialise(type.shape, sizes)});
  }
  std::vector<Value> prefix_inputs;
  for (const Port& port : split.prefix.inputs) prefix_inputs.push_back(known.at(port.name));
  const std::vector<Value> features = inline_graph(b, specialise(split.prefix, sizes), prefix_inputs);
  for (size_t i = 0; i < features.size(); ++i) known[split.features[i]] = features[i];

  std::vector<Value> slices, captured;
  for (const Port& port : body.inputs) {
    const Value value = known.at(port.name);
    if (!counts(body.type(port.value), symbol)) {
      captured.push_back(value);
      continue;
    }
    Shape cut{size / part};
    for (const Dim& dim : specialise(body.type(port.value).shape, of_part)) cut.push_back(dim);
    slices.push_back(ops::reshape(b, value, cut));
  }
  const std::vector<Value> stacked =
      ops::scan(b, specialise(body, of_part), {}, slices, captured, size / part, false);
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const Port& port = graph.outputs[i];
    b.output(port.name, ops::reshape(b, stacked[i], specialise(graph.type(port.value).shape, sizes)));
  }
  return result;
}

}  // namespace temper
