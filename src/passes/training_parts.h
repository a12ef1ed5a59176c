#pragma once
// What train_in_parts is made of: norms taken apart, the regions between them.
#include <set>

#include "passes/passes.h"

namespace temper {

// Large norms that a light convolution stands before or behind become their sums and their map, two nodes
// each.
Graph take_norms_apart(const Graph& graph, const TrainingLimits& limits);
// A convolution or one of its gradients that waits for memory rather than for arithmetic.
bool is_light_convolution(const Graph& graph, const Node& node);
// A batch norm in training, or its gradient, over more bytes than limits.pictures.
bool is_large_norm(const Graph& graph, const Node& node, const TrainingLimits& limits);

bool is_any(const Node& node, std::initializer_list<std::string_view> names);

// Which operands and results of a node have samples along axis 0, and which results add up over them.
struct Role {
  std::vector<size_t> samples_in, samples_out;
  std::vector<size_t> sums;  // f32, added up
  bool moments = false;      // results 1 and 2 are the mean and the variance of the samples
  bool is_member() const { return !samples_in.empty(); }
};

// Of every node of a graph whose norms are apart.
class Roles {
 public:
  explicit Roles(const Graph& graph);
  const Role& operator[](int node) const { return roles_[static_cast<size_t>(node)]; }
  bool is_samples(Value value) const;

 private:
  Role role_of(int i) const;
  Role map_role(const Node& node) const;

  const Graph& graph_;
  std::set<Value> read_;
  std::vector<Role> roles_;
  std::vector<std::set<size_t>> samples_;  // by node, its results with samples
};

struct Region {
  std::vector<int> nodes;  // ascending
  int64_t part = 0;        // samples
};

// Members that pass samples on to each other and wait for the same sums, where parts pay.
class Regions {
 public:
  Regions(const Graph& graph, const Roles& roles, const TrainingLimits& limits);
  // Sums on the longest way to a node. What is alone runs before the regions of its level.
  int level(int node) const { return level_[static_cast<size_t>(node)]; }
  const std::vector<Region>& all() const { return regions_; }

 private:
  bool flows(Value value, int reader) const;
  int level_of(int i) const;
  void connect();
  int64_t batch_of(const Region& region) const;
  int64_t samples_of_part(const Region& region) const;

  const Graph& graph_;
  const Roles& roles_;
  const TrainingLimits limits_;
  std::vector<int> level_;
  std::vector<Region> regions_;
};

}  // namespace temper
