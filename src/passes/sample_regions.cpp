// The regions of a training step through which samples go alone: a norm's map, light convolutions and maps,
// and the sums behind them.
#include <algorithm>
#include <map>
#include <numeric>

#include "ir/op.h"
#include "passes/training_parts.h"

namespace temper {

Roles::Roles(const Graph& graph) : graph_(graph), samples_(static_cast<size_t>(graph.size())) {
  for (const Node& node : graph.nodes()) read_.insert(node.inputs.begin(), node.inputs.end());
  for (const Port& port : graph.outputs) read_.insert(port.value);
  for (int i = 0; i < graph.size(); ++i) {
    roles_.push_back(role_of(i));
    for (const size_t k : roles_.back().samples_out) samples_[static_cast<size_t>(i)].insert(k);
  }
}

bool Roles::is_samples(Value value) const {
  return value && samples_[static_cast<size_t>(value.node)].contains(static_cast<size_t>(value.index));
}

Role Roles::role_of(int i) const {
  const Node& node = graph_.nodes()[static_cast<size_t>(i)];
  const bool f32 = !node.outputs.empty() && node.outputs[0].dtype == DType::f32;
  if (is_any(node, {"conv2d", "conv_input_grad"}) && is_light_convolution(graph_, node)) return {{0}, {0}};
  if (node.op->name == "conv_weight_grad" && f32 && is_light_convolution(graph_, node))
    return {{0, 1}, {}, {0}};
  if (node.op->name == "max_pool") return {{0}, {0}};
  if (node.op->name == "max_pool_grad") return {{0, 1}, {0}};
  if (node.op->name == "batch_norm_act_infer") return {{0, 5}, {0}};
  if (node.op->name == "batch_norm_act_input_grad") return {{0, 5}, {0}};
  if (node.op->name == "batch_norm_train" && !read_.contains({i, 0})) return {{0}, {}, {}, true};
  if (node.op->name == "batch_norm_grad" && !read_.contains({i, 0})) return {{0, 4}, {}, {1, 2}};
  if (node.op->name == "batch_norm_act_grad" && !read_.contains({i, 0}))
    return {{0, 5, 6}, read_.contains({i, 3}) ? std::vector<size_t>{3} : std::vector<size_t>{}, {1, 2}};
  return map_role(node);
}

// A map of samples, or of samples and numbers.
Role Roles::map_role(const Node& node) const {
  if (!is_any(node, {"add", "sub", "mul", "max", "min", "select", "compare", "convert"})) return {};
  Role role{.samples_out = {0}};
  for (size_t k = 0; k < node.inputs.size(); ++k) {
    if (graph_.type(node.inputs[k]).shape.rank() == 0) continue;
    if (!is_samples(node.inputs[k])) return {};
    role.samples_in.push_back(k);
  }
  return role.is_member() ? role : Role{};
}

Regions::Regions(const Graph& graph, const Roles& roles, const TrainingLimits& limits)
    : graph_(graph), roles_(roles), limits_(limits), level_(static_cast<size_t>(graph.size()), 0) {
  for (int i = 0; i < graph.size(); ++i) level_[static_cast<size_t>(i)] = level_of(i);
  connect();
}

// Whether a member hands samples on to another one. Who reads sums, or all samples for each, waits for the
// whole region.
bool Regions::flows(Value value, int reader) const {
  if (!roles_[value.node].is_member() || !roles_.is_samples(value)) return false;
  const auto& inputs = graph_.nodes()[static_cast<size_t>(reader)].inputs;
  const auto& alone = roles_[reader].samples_in;
  for (size_t k = 0; k < inputs.size(); ++k)
    if (inputs[k] == value && std::ranges::find(alone, k) == alone.end()) return false;
  return true;
}

int Regions::level_of(int i) const {
  int level = 0;
  for (const Value input : graph_.nodes()[static_cast<size_t>(i)].inputs) {
    if (!input) continue;
    const bool waits = roles_[input.node].is_member() && !flows(input, i);
    level = std::max(level, level_[static_cast<size_t>(input.node)] + (waits ? 1 : 0));
  }
  return level;
}

// Members of one level that pass samples on to each other.
void Regions::connect() {
  std::vector<int> parent(level_.size());
  std::iota(parent.begin(), parent.end(), 0);
  const auto find = [&](int i) {
    while (parent[static_cast<size_t>(i)] != i) i = parent[static_cast<size_t>(i)];
    return i;
  };
  for (int i = 0; i < graph_.size(); ++i)
    for (const Value input : graph_.nodes()[static_cast<size_t>(i)].inputs)
      if (input && flows(input, i) && level(input.node) == level(i))
        parent[static_cast<size_t>(std::max(find(i), find(input.node)))] =
            std::min(find(i), find(input.node));
  std::map<int, Region> found;
  for (int i = 0; i < graph_.size(); ++i)
    if (roles_[i].is_member()) found[find(i)].nodes.push_back(i);
  for (auto& [first, region] : found) {
    region.part = samples_of_part(region);
    if (region.part > 0) regions_.push_back(std::move(region));
  }
}

int64_t Regions::batch_of(const Region& region) const {
  std::set<int64_t> sizes;
  for (const int i : region.nodes)
    for (const size_t k : roles_[i].samples_in)
      if (const Node& node = graph_.nodes()[static_cast<size_t>(i)]; k < node.inputs.size())
        sizes.insert(graph_.type(node.inputs[k]).shape.size(0));
  return sizes.size() == 1 ? *sizes.begin() : 0;
}

// 0 if the region is best left whole: it has no part of a large norm, or nothing to keep in a cache.
int64_t Regions::samples_of_part(const Region& region) const {
  const int64_t batch = batch_of(region);
  bool norm = false;
  int64_t most = 0, all = 0, sums = 0;
  for (const int i : region.nodes) {
    const Node& node = graph_.nodes()[static_cast<size_t>(i)];
    norm = norm || node.op->name.starts_with("batch_norm");
    int64_t bytes = 0;
    for (const size_t k : roles_[i].samples_in)
      if (k < node.inputs.size()) bytes += byte_size(graph_.type(node.inputs[k]));
    for (const size_t k : roles_[i].samples_out) bytes += byte_size(node.outputs[k]);
    for (const size_t k : roles_[i].sums) sums += byte_size(node.outputs[k]);
    most = std::max(most, bytes);
    all += bytes;
  }
  if (!norm || batch < 2 || region.nodes.size() < 2) return 0;
  int64_t best = 0;
  for (int64_t part = 1; part < batch; ++part) {
    if (batch % part != 0) continue;
    const bool costly = sums * (batch / part) > all / 4;  // sums of every part go through memory
    if (best == 0 ? !costly : most / batch * part <= limits_.part) best = part;
  }
  return best;
}

}  // namespace temper
