#include "place/work.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <set>

#include "base/text.h"
#include "codegen/fuse.h"
#include "ir/op.h"
#include "target/cost.h"

namespace temper {
namespace {

using namespace std::string_view_literals;

// Maps that may cost a hundred times what others do.
constexpr std::array kHeavy = {"erf"sv, "gelu"sv, "gelu_grad"sv};
constexpr std::array kFunctions = {"exp"sv,     "expm1"sv,       "log"sv,           "log1p"sv,
                                   "sin"sv,     "cos"sv,         "tanh"sv,          "sigmoid"sv,
                                   "pow"sv,     "erf"sv,         "gelu"sv,          "gelu_grad"sv,
                                   "softmax"sv, "log_softmax"sv, "cross_entropy"sv, "cross_entropy_grad"sv};

bool is_leaf(const Node& node) { return node.op->name == "input" || node.op->name == "constant"; }
bool is_heavy(const Node& node) { return std::ranges::find(kHeavy, node.op->name) != kHeavy.end(); }
bool is_alias(const Node& node) { return node.op->name == "reshape" || node.op->name == "barrier"; }
double log2_of(double value) { return std::log2(std::max(1.0, value)); }
double elements(const Shape& shape, int from = 0) {
  double product = 1;
  for (int axis = from; axis < shape.rank(); ++axis) product *= static_cast<double>(shape.size(axis));
  return product;
}
// By which power of two it divides, up to 10: rows of such lengths fall into the same lines of a cache.
double evenness(double value) {
  const auto whole = static_cast<uint64_t>(std::max(1.0, value));
  return std::min(10, std::countr_zero(whole));
}
double product(const Ints& numbers) {
  double all = 1;
  for (const int64_t number : numbers) all *= static_cast<double>(number);
  return all;
}

// As products of matrices, `groups` of [m, k] x [k, n].
struct Products {
  std::string kind;
  double groups = 1, m = 1, n = 1, k = 1, window = 1, stride = 1;
};

Products dot(const Graph& graph, const Node& node) {
  const Shape &x = graph.type(node.inputs[0]).shape, &y = graph.type(node.inputs[1]).shape;
  Products p{.kind = "dot"};
  for (const int64_t axis : node.attributes.get<Ints>("x_batch"))
    p.groups *= static_cast<double>(x.size(static_cast<int>(axis)));
  for (const int64_t axis : node.attributes.get<Ints>("x_contract"))
    p.k *= static_cast<double>(x.size(static_cast<int>(axis)));
  p.m = elements(x) / std::max(1.0, p.groups * p.k);
  p.n = elements(y) / std::max(1.0, p.groups * p.k);
  return p;
}

// y: [n, o, ...], w: [o, i / groups, ...]
Products convolution(std::string kind, const Shape& y, const Shape& w, double groups, double stride) {
  Products p{.kind = std::move(kind), .groups = groups, .stride = stride};
  p.window = elements(w, 2);
  p.m = static_cast<double>(y.size(0)) * elements(y, 2);
  p.n = static_cast<double>(w.size(0)) / groups;
  p.k = static_cast<double>(w.size(1));
  return p;
}

// A gradient that was decomposed is a convolution with dilated operands or a window as large as a picture.
Products general_convolution(const Graph& graph, const Node& node) {
  constexpr double kLargestWindow = 64;
  const auto dimensions = [&](std::string_view name) { return product(node.attributes.get<Ints>(name)); };
  const Shape& w = graph.type(node.inputs[1]).shape;
  const double groups = static_cast<double>(node.attributes.get<int64_t>("groups")),
               batch_groups = static_cast<double>(node.attributes.get<int64_t>("batch_groups")),
               spread = dimensions("x_dilation"), wide = dimensions("w_dilation");
  const bool of_weights = batch_groups > 1 || wide > 1 || elements(w, 2) > kLargestWindow;
  const std::string kind = of_weights ? "weight_grad" : spread > 1 ? "input_grad" : "convolution";
  return convolution(kind, node.outputs[0].shape, w, std::max(groups, batch_groups),
                     dimensions("strides") * spread * wide);
}

bool products_of(const Graph& graph, const Node& node, Products& p) {
  const std::string_view name = node.op->name;
  const auto shape = [&](size_t i) -> const Shape& { return graph.type(node.inputs[i]).shape; };
  const auto groups = [&] { return static_cast<double>(node.attributes.get<int64_t>("groups")); };
  const auto stride = [&] { return product(node.attributes.get<Ints>("strides")); };
  if (name == "dot_general") {
    p = dot(graph, node);
  } else if (name == "conv2d") {
    p = convolution("convolution", node.outputs[0].shape, shape(1), groups(), stride());
  } else if (name == "conv_general") {
    p = general_convolution(graph, node);
  } else if (name == "conv_input_grad") {
    p = convolution("input_grad", shape(0), shape(1), groups(), stride());
    std::swap(p.n, p.k);
  } else if (name == "conv_weight_grad") {
    p = convolution("weight_grad", shape(1), node.outputs[0].shape, groups(), stride());
  } else {
    return false;
  }
  if (p.groups > 1) p.kind += "_grouped";
  return true;
}

std::vector<Cluster> clusters_of(const Graph& graph) {
  std::vector<bool> taken(static_cast<size_t>(graph.size()));
  std::vector<Cluster> clusters;
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    const bool none = is_leaf(node) || is_alias(node);
    const bool alone = !none && (!node.regions.empty() ||
                                 !(is_map(node) || is_view(graph, node) || node.op->name == "reduce"));
    if (alone) clusters.push_back({{i}, std::string(node.op->name)});
    taken[static_cast<size_t>(i)] = none || alone;
  }
  for (Cluster& cluster : fuse_maps(graph, taken)) clusters.push_back(std::move(cluster));
  std::ranges::sort(clusters, {}, [](const Cluster& cluster) { return cluster.nodes.back(); });
  return clusters;
}

class Reader {
 public:
  // footprint: of all that a run touches; what is read once a run was last touched that many bytes ago.
  Reader(const Graph& graph, std::vector<Cluster> clusters, double footprint)
      : graph_(graph), clusters_(std::move(clusters)), footprint_(footprint) {
    owner_.assign(static_cast<size_t>(graph.size()), -1);
    for (size_t c = 0; c < clusters_.size(); ++c)
      for (const int node : clusters_[c].nodes)
        if (!std::ranges::binary_search(clusters_[c].repeated, node))
          owner_[static_cast<size_t>(node)] = static_cast<int>(c);
    for (const Port& output : graph.outputs) read_outside_.insert(origin(output.value));
    for (int i = 0; i < graph.size(); ++i)
      for (const Value input : graph.nodes()[static_cast<size_t>(i)].inputs)
        if (input && owner_[static_cast<size_t>(i)] != owner_of(input)) read_outside_.insert(origin(input));
  }

  std::vector<Work> read() {
    for (size_t c = 0; c < clusters_.size(); ++c) add(static_cast<int>(c));
    return std::move(works_);
  }

 private:
  // What holds the bytes.
  Value origin(Value value) const {
    while (owner_[static_cast<size_t>(value.node)] < 0 && !is_leaf(graph_.node(value)) &&
           !graph_.node(value).inputs.empty())
      value = graph_.node(value).inputs[0];
    return value;
  }
  int owner_of(Value value) const { return owner_[static_cast<size_t>(origin(value).node)]; }

  void add(int number) {
    const Cluster& cluster = clusters_[static_cast<size_t>(number)];
    Work work{.kind = "map"};
    std::set<Value> seen;
    double own = 0;
    Products products;
    bool contracts = false;
    for (const int index : cluster.nodes) {
      const Node& node = graph_.nodes()[static_cast<size_t>(index)];
      if (!node.regions.empty()) return add_regions(node);
      const auto count = static_cast<double>(flops(graph_, node));
      work.flops += count;
      if (std::ranges::find(kFunctions, node.op->name) != kFunctions.end()) work.functions += count;
      if (products_of(graph_, node, products))
        contracts = true;
      else if (is_heavy(node) || (!is_map(node) && !is_view(graph_, node) && !is_alias(node)))
        work.kind = node.op->name;
      for (const Value input : node.inputs) {
        if (!input || std::ranges::binary_search(cluster.nodes, input.node)) continue;
        const Value from = origin(input);
        if (graph_.node(from).op->name == "constant" && byte_size(graph_.type(from)) <= 64) continue;
        if (!seen.insert(from).second) continue;
        // Views may read a part, or the same again and again.
        const auto bytes = static_cast<double>(byte_size(graph_.type(input)));
        own += bytes;
        work.traffic.push_back({bytes, distance(from)});
      }
    }
    for (const int index : cluster.nodes) {
      const auto& outputs = graph_.nodes()[static_cast<size_t>(index)].outputs;
      for (int32_t k = 0; k < static_cast<int32_t>(outputs.size()); ++k) {
        if (owner_[static_cast<size_t>(index)] != number || !read_outside_.contains({index, k})) continue;
        const auto bytes = static_cast<double>(byte_size(outputs[static_cast<size_t>(k)]));
        own += bytes;
        work.traffic.push_back({bytes, -1});
      }
    }
    for (Traffic& traffic : work.traffic)
      traffic.distance = traffic.distance < 0 ? own : std::max(own, traffic.distance);
    if (contracts) {
      work.kind = products.kind;
      work.place = {log2_of(products.m),      log2_of(products.n),      log2_of(products.k),
                    log2_of(products.window), log2_of(products.stride), log2_of(products.groups),
                    evenness(products.n),     evenness(products.k)};
    } else {
      work.place = {log2_of(own)};
    }
    touched_ += own;
    ends_[number] = touched_;
    works_.push_back(std::move(work));
  }

  double distance(Value from) const {
    const int owner = owner_[static_cast<size_t>(from.node)];
    const auto end = ends_.find(owner);
    return end == ends_.end() ? footprint_ : std::min(footprint_, touched_ - end->second);
  }

  void add_regions(const Node& node) {
    const auto rounds = static_cast<double>(
        node.attributes.get_or<int64_t>("length", node.attributes.get_or<int64_t>("parts", 1)));
    for (const Graph& region : node.regions) {
      double inside = 0;
      for (const Node& part : region.nodes())
        for (const Type& output : part.outputs) inside += static_cast<double>(byte_size(output));
      for (Work& work : Reader(region, clusters_of(region), std::min(inside, footprint_)).read()) {
        work.rounds *= rounds;
        touched_ += bytes_of(work) * work.rounds;
        works_.push_back(std::move(work));
      }
    }
  }

  const Graph& graph_;
  std::vector<Cluster> clusters_;
  double footprint_;
  std::vector<int> owner_;  // by node: its cluster, or -1
  std::set<Value> read_outside_;
  std::map<int, double> ends_;  // by cluster: bytes touched when it was done
  double touched_ = 0;
  std::vector<Work> works_;
};

double arguments_of(const Graph& graph) {
  double bytes = 0;
  for (const Port& input : graph.inputs) bytes += static_cast<double>(byte_size(graph.type(input.value)));
  return bytes;
}

}  // namespace

double bytes_of(const Work& work) {
  double bytes = 0;
  for (const Traffic& traffic : work.traffic) bytes += traffic.bytes;
  return bytes;
}

bool is_contraction(const Work& work) { return work.place.size() > 1; }

std::vector<Work> works_of(const Executable& executable, double between) {
  const Program& program = executable.program();
  const double footprint = static_cast<double>(program.memory.total()) + between;
  std::vector<Work> works =
      Reader(program.graph, program.clusters.empty() ? clusters_of(program.graph) : program.clusters,
             footprint)
          .read();
  for (const LaunchProfile& launch : executable.launches()) {
    if (launch.kind != "reorder" && launch.kind != "copy") continue;
    const auto bytes = static_cast<double>(launch.bytes);
    works.push_back({.kind = "reorder", .traffic = {{bytes, bytes}}, .place = {log2_of(bytes)}});
  }
  // Some devices take the memory of a run anew each time.
  const auto fresh = static_cast<double>(program.memory.temporaries + program.memory.outputs);
  works.push_back(
      {.kind = "run", .traffic = {{std::max(1.0, fresh), std::max(footprint, fresh + 1)}}, .place = {0}});
  return works;
}

std::vector<Work> works_of(const Graph& graph) {
  std::vector<Work> works = Reader(graph, clusters_of(graph), 0).read();
  double footprint = arguments_of(graph);
  for (const Work& work : works) footprint += bytes_of(work);
  return Reader(graph, clusters_of(graph), footprint).read();
}

}  // namespace temper
