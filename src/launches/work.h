#pragma once
// A legal graph cut into what one kernel, or the few of one node, computes; in the order in which it runs.
#include "launches/vendor.h"

namespace temper::launches {

struct Work {
  Cluster cluster;
  std::shared_ptr<const LibraryCall> call;  // what computes it; null: kernels
  std::vector<Value> inputs, outputs;
};

size_t max_operands(const Vendor& vendor, const TargetFacts& facts);  // of a kernel; two numbers count as one

std::vector<Work> cut_into_work(const Vendor& vendor, const TargetFacts& facts, const Graph& graph);

bool is_leaf(const Node& node);   // input, constant
bool is_alias(const Node& node);  // its result has the bytes of its operand
bool is_control(const Node& node);
Value origin(const Graph& graph, Value value);  // what holds the bytes

}  // namespace temper::launches
